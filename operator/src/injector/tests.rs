use std::time::Duration;

use baton_crds::group::Resources;
use serde_json::{Value, json};

use super::review::{self, Answer, Garbage};
use super::{Injection, inject};

fn injection() -> Injection {
    Injection {
        group: "web".into(),
        image: "baton.local/agent:dev".into(),
        operator: "https://baton-operator.baton-system.svc:7080".into(),
        shards: 16,
        log: "info".into(),
        timeout: Duration::from_secs(20),
        resources: None,
        traces: None,
    }
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "generateName": "web-", "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "app", "image": "app", "env": [{ "name": "A", "value": "1" }] }, { "name": "other", "image": "other" }] },
    })
}

fn injected(pod: &Value) -> Value {
    inject(pod, &injection()).expect("a pod")
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

fn agent(pod: &Value) -> &Value {
    pod["spec"]["initContainers"].as_array().and_then(|all| all.last()).expect("an agent")
}

fn environment<'a>(container: &'a Value, name: &str) -> &'a Value {
    container["env"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name)).unwrap_or(&Value::Null)
}

#[test]
fn a_pod_gets_its_agent_its_volume_and_its_labels() {
    let pod = injected(&pod());
    assert_eq!(pod["metadata"]["labels"], json!({ "app": "web", "baton.dev/group": "web" }));
    assert_eq!(pod["metadata"]["annotations"]["baton.dev/injected"], "baton.local/agent:dev");
    assert_eq!(names(&pod["spec"]["initContainers"]), ["baton-agent"]);
    assert_eq!(names(&pod["spec"]["volumes"]), ["baton-run", "baton-identity", "baton-socket"]);
    assert_eq!(pod["spec"].get("terminationGracePeriodSeconds"), None);
}

#[test]
fn the_agent_is_a_native_sidecar_that_drains_in_its_hook() {
    let pod = injected(&pod());
    let agent = agent(&pod);
    assert_eq!(agent["restartPolicy"], "Always");
    assert_eq!(agent["lifecycle"]["preStop"]["exec"]["command"], json!(["/baton-agent", "drain"]));
    assert_eq!(agent["startupProbe"]["failureThreshold"], 86_400);
    for (probe, path) in [("startupProbe", "/startupz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        assert_eq!(agent[probe]["httpGet"], json!({ "path": path, "port": 7073 }), "{probe}");
    }
}

#[test]
fn the_agent_runs_under_the_restricted_standard() {
    let pod = injected(&pod());
    let security = &agent(&pod)["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }));
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["seccompProfile"], json!({ "type": "RuntimeDefault" }));
    assert_eq!(security.get("runAsUser"), None);
}

#[test]
fn an_agent_is_told_of_a_collector_if_there_is_one() {
    let told = |traces: Option<&str>| {
        let injection = Injection { traces: traces.map(str::to_owned), ..injection() };
        let pod = inject(&pod(), &injection).expect("a pod");
        pod["spec"]["initContainers"][0]["env"].to_string().contains("BATON_TRACES")
    };
    assert!(told(Some("http://otel:4317")) && !told(None));
}

#[test]
fn only_the_agent_has_a_token_and_it_is_for_the_operator() {
    let mut pod = pod();
    pod["spec"]["automountServiceAccountToken"] = json!(false);
    let pod = injected(&pod);
    let sources = &pod["spec"]["volumes"][1]["projected"]["sources"];
    assert_eq!(sources[0]["serviceAccountToken"]["audience"], "baton.dev/operator");
    assert_eq!(sources[1]["configMap"]["name"], "baton-roots");
    let mount = json!({ "name": "baton-identity", "mountPath": "/var/run/secrets/baton.dev", "readOnly": true });
    assert_eq!(agent(&pod)["volumeMounts"][1], mount);
    assert_eq!(environment(agent(&pod), "BATON_IDENTITY")["value"], "/var/run/secrets/baton.dev");
    assert_eq!(names(&pod["spec"]["containers"][0]["volumeMounts"]), ["baton-socket"]);
}

#[test]
fn in_a_pod_that_runs_as_root_the_agent_does_not() {
    let mut pod = pod();
    pod["spec"]["securityContext"] = json!({ "runAsUser": 0 });
    assert_eq!(agent(&injected(&pod))["securityContext"]["runAsUser"], 65_532);
}

#[test]
fn the_agent_learns_who_it_is_by_the_downward_api() {
    let pod = injected(&pod());
    let agent = agent(&pod);
    let fields = [
        ("BATON_POD_NAME", "metadata.name"),
        ("BATON_POD_UID", "metadata.uid"),
        ("BATON_NAMESPACE", "metadata.namespace"),
        ("BATON_NODE", "spec.nodeName"),
        ("BATON_POD_IP", "status.podIP"),
    ];
    for (name, path) in fields {
        assert_eq!(environment(agent, name)["valueFrom"]["fieldRef"]["fieldPath"], path, "{name}");
    }
    let values = [
        ("BATON_OPERATOR", "https://baton-operator.baton-system.svc:7080"),
        ("BATON_GROUP", "web"),
        ("BATON_GRACE_SECONDS", "30"),
        ("BATON_SHARDS", "16"),
        ("BATON_LOG", "info"),
        ("BATON_GRPC", "127.0.0.1:7071"),
        ("BATON_REDIS", "127.0.0.1:6379"),
        ("BATON_REDIS_SOCKET", "/run/baton-app/redis.sock"),
    ];
    for (name, value) in values {
        assert_eq!(environment(agent, name)["value"], value, "{name}");
    }
}

#[test]
fn app_containers_learn_the_url_and_keep_their_own() {
    let mut pod = pod();
    pod["spec"]["containers"][1]["env"] = json!([{ "name": "BATON_URL", "value": "mine" }]);
    let pod = injected(&pod);
    let containers = &pod["spec"]["containers"];
    assert_eq!(
        names(&containers[0]["env"]),
        ["A", "BATON_URL", "BATON_GRPC", "BATON_REDIS", "BATON_SOCKET", "BATON_REDIS_SOCKET"]
    );
    assert_eq!(environment(&containers[0], "BATON_URL")["value"], "http://127.0.0.1:7070");
    assert_eq!(environment(&containers[0], "BATON_REDIS")["value"], "redis://127.0.0.1:6379");
    assert_eq!(environment(&containers[1], "BATON_URL")["value"], "mine");
}

#[test]
fn app_containers_share_the_socket_that_the_agent_makes() {
    let mut pod = pod();
    pod["spec"]["containers"][1]["volumeMounts"] = json!([{ "name": "mine", "mountPath": "/run/baton" }]);
    let pod = injected(&pod);
    let mount = json!({ "name": "baton-socket", "mountPath": "/run/baton", "readOnly": true });
    let containers = &pod["spec"]["containers"];
    assert_eq!(containers[0]["volumeMounts"], json!([mount]));
    assert_eq!(environment(&containers[0], "BATON_SOCKET")["value"], "/run/baton/baton.sock");
    assert_eq!(environment(&containers[0], "BATON_REDIS_SOCKET")["value"], "/run/baton/redis.sock");
    assert_eq!(names(&containers[1]["volumeMounts"]), ["mine"], "two mounts of one path are no pod");
    assert_eq!(environment(&containers[1], "BATON_SOCKET"), &Value::Null);
    assert_eq!(agent(&pod)["volumeMounts"][2], json!({ "name": "baton-socket", "mountPath": "/run/baton-app" }));
    assert_eq!(environment(agent(&pod), "BATON_HTTP_SOCKET")["value"], "/run/baton-app/baton.sock");
}

#[test]
fn the_grace_period_is_raised_and_never_lowered() {
    let cases = [
        (20, None, None, "30"),
        (20, Some(10), Some(27), "27"),
        (20, Some(600), Some(600), "600"),
        (60, None, Some(80), "80"),
    ];
    for (timeout, before, after, told) in cases {
        let mut pod = pod();
        if let Some(before) = before {
            pod["spec"]["terminationGracePeriodSeconds"] = json!(before);
        }
        let injection = Injection { timeout: Duration::from_secs(timeout), ..injection() };
        let pod = inject(&pod, &injection).expect("a pod");
        assert_eq!(
            pod["spec"].get("terminationGracePeriodSeconds"),
            after.map(|after| json!(after)).as_ref(),
            "{timeout} {before:?}"
        );
        assert_eq!(environment(agent(&pod), "BATON_GRACE_SECONDS")["value"], told);
    }
}

#[test]
fn the_groups_resources_are_used() {
    let resources: Resources = serde_json::from_value(json!({ "limits": { "memory": "1Gi" } })).expect("resources");
    let pod = inject(&pod(), &Injection { resources: Some(resources), ..injection() }).expect("a pod");
    assert_eq!(agent(&pod)["resources"], json!({ "limits": { "memory": "1Gi" } }));
}

#[test]
fn injecting_twice_is_injecting_once() {
    let once = injected(&pod());
    assert_eq!(injected(&once), once);
}

/// kubernetes PR#120620: a sidecar was stopped along with its app, before it had handed anything off. Native sidecars are
/// stopped after all apps, in the opposite order of their places.
#[test]
fn the_agent_moves_back_to_the_last_place() {
    let mut pod = injected(&pod());
    let mesh = json!({ "name": "mesh", "image": "mesh", "restartPolicy": "Always" });
    pod["spec"]["initContainers"].as_array_mut().expect("a list").push(mesh);
    let pod = injected(&pod);
    assert_eq!(names(&pod["spec"]["initContainers"]), ["mesh", "baton-agent"]);
}

/// A mesh's proxy may start after the agent and end before it: through it, an agent could neither join nor hand off.
#[test]
fn the_agents_ports_go_past_the_proxy_of_a_mesh() {
    const IN: [&str; 2] = ["traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports"];
    const OUT: [&str; 2] = ["traffic.sidecar.istio.io/excludeOutboundPorts", "config.linkerd.io/skip-outbound-ports"];
    let of = |pod: &Value, name: &str| pod["metadata"]["annotations"][name].clone();
    let plain = injected(&pod());
    assert_eq!(IN.map(|name| of(&plain, name)), ["7072,7073"; 2]);
    assert_eq!(OUT.map(|name| of(&plain, name)), ["7072,7080"; 2]);

    let mut own = pod();
    own["metadata"]["annotations"] = json!({ IN[0]: "9090, 7073", IN[1]: "", OUT[0]: "*", OUT[1]: "3306,7000-7100" });
    let own = injected(&own);
    assert_eq!(IN.map(|name| of(&own, name)), ["9090,7073,7072", "7072,7073"]);
    assert_eq!(OUT.map(|name| of(&own, name)), ["*", "3306,7000-7100,7072,7080"]);
    assert_eq!(injected(&own), own);

    let elsewhere = Injection { operator: "https://operator.example".into(), ..injection() };
    assert_eq!(of(&inject(&pod(), &elsewhere).expect("a pod"), OUT[0]), "7072");
}

#[test]
fn what_other_webhooks_add_stays_and_what_they_break_is_mended() {
    let mut pod = injected(&pod());
    let agent_before = &mut pod["spec"]["initContainers"][0];
    agent_before.as_object_mut().expect("an agent").remove("restartPolicy");
    agent_before["image"] = json!("registry.example/agent:pinned");
    agent_before["volumeMounts"]
        .as_array_mut()
        .expect("mounts")
        .push(json!({ "name": "token", "mountPath": "/var/run/secrets" }));
    agent_before["env"].as_array_mut().expect("env").push(json!({ "name": "MESH", "value": "1" }));
    let pod = injected(&pod);
    let agent = agent(&pod);
    assert_eq!(agent["restartPolicy"], "Always");
    assert_eq!(agent["image"], "registry.example/agent:pinned");
    assert_eq!(names(&agent["volumeMounts"]), ["baton-run", "baton-identity", "baton-socket", "token"]);
    assert_eq!(environment(agent, "MESH")["value"], "1");
}

#[test]
fn what_is_no_pod_is_refused() {
    for spec in [
        json!(7),
        json!({ "containers": {} }),
        json!({ "containers": [7] }),
        json!({ "containers": [], "volumes": "x" }),
    ] {
        let pod = json!({ "kind": "Pod", "metadata": {}, "spec": spec });
        assert!(inject(&pod, &injection()).is_err(), "{pod}");
    }
}

fn request(object: Value) -> Value {
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": { "uid": "r-1", "namespace": "shop", "operation": "CREATE", "object": object } })
}

#[test]
fn the_patch_turns_the_pod_into_the_injected_one() {
    let body = request(pod());
    let request = review::read(body.to_string().as_bytes()).expect("a request");
    let answer = review::write(&request, Answer::Changed(injected(&pod()))).expect("an answer");
    assert_eq!(answer["response"]["uid"], "r-1");
    assert_eq!((&answer["response"]["allowed"], &answer["response"]["patchType"]), (&json!(true), &json!("JSONPatch")));
    let bytes: k8s_openapi::ByteString = serde_json::from_value(answer["response"]["patch"].clone()).expect("base64");
    let patch: json_patch::Patch = serde_json::from_slice(&bytes.0).expect("a patch");
    let mut patched = pod();
    json_patch::patch(&mut patched, &patch).expect("a patch that fits");
    assert_eq!(patched, injected(&pod()));
}

#[test]
fn a_pod_that_is_in_order_gets_no_patch() {
    let body = request(injected(&pod()));
    let request = review::read(body.to_string().as_bytes()).expect("a request");
    let answer = review::write(&request, Answer::Changed(injected(&injected(&pod())))).expect("an answer");
    assert_eq!(answer["response"], json!({ "uid": "r-1", "allowed": true }));
}

#[test]
fn a_refusal_says_why() {
    let body = request(pod());
    let request = review::read(body.to_string().as_bytes()).expect("a request");
    let answer = review::write(&request, Answer::Refused("no group".into())).expect("an answer");
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["message"], "no group");
}

#[test]
fn garbage_is_told_from_a_request() {
    let cases = [
        ("", "the body is no AdmissionReview"),
        ("[]", "the body is no AdmissionReview"),
        ("{\"kind\":", "the body is no AdmissionReview"),
        ("{}", "the kind is \"\""),
        (r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}"#, "the apiVersion is"),
        (r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#, "has no request"),
        (r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}"#, "has no uid"),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1"}}"#,
            "is not about a pod",
        ),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","object":{"kind":"Pod","metadata":7}}}"#,
            "the body is no AdmissionReview",
        ),
    ];
    for (body, message) in cases {
        let error: Garbage = review::read(body.as_bytes()).expect_err(body);
        assert!(error.to_string().contains(message), "{body}: {error}");
    }
    assert!(review::read(&[0xff, 0xfe, 0x00]).is_err());
}
