#!/bin/sh
# redis-cli, as people type it.

here="redis-cli -u $BATON_REDIS"
peer="redis-cli -u $BATON_REDIS_PEER"

check() {
    name=$1 expected=$2
    shift 2
    got=$("$@" 2>&1 | tr '\n' ' ')
    case $got in
        *"$expected"*) echo "ok $name" ;;
        *) echo "not ok $name: $got" ;;
    esac
}

redis-cli --version | sed 's/^redis-cli \([^ ]*\).*/client redis-cli \1/'
check 'a string is set with a deadline' OK $here SET cli:ann apple EX 100
check 'another pod has it, acknowledged' apple $peer GET cli:ann
check 'additions count' 42 $here INCRBY cli:n 42
check 'a hash is shown' 'apple 2 pear 1' sh -c "$here HSET cli:cart apple 2 pear 1 >/dev/null; $here HGETALL cli:cart"
check 'keys are scanned' 'cli:ann' $here --scan --pattern 'cli:a*'
check 'RESP3 is spoken' 'proto 3' $here -3 HELLO 3
check 'a transaction is made' 'OK QUEUED QUEUED OK 2' sh -c "printf 'MULTI\nSET cli:t 1\nINCR cli:t\nEXEC\n' | $here"
check 'lists are refused' 'not supported' $here LPUSH cli:list 1
check 'INFO says which role it has' 'role:master' $here INFO replication
