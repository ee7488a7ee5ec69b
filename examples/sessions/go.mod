module baton.dev/examples/sessions

go 1.22
