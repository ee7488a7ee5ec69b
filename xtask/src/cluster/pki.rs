//! The cluster's certificate authority, and what it signs.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::layout::{GATEWAY, Layout, Node};
use crate::command;

/// A certificate to make: file name, subject, extensions.
struct Leaf<'a> {
    name: &'a str,
    subject: &'a str,
    extensions: &'a [&'a str],
}

const CLIENT: &str = "extendedKeyUsage=clientAuth";
const SERVER: &str = "extendedKeyUsage=serverAuth";
const BOTH: &str = "extendedKeyUsage=clientAuth,serverAuth";

/// Makes every key, certificate and kubeconfig.
pub(super) fn make(layout: &Layout, nodes: &[Node]) -> Result<()> {
    std::fs::create_dir_all(layout.path("pki"))?;
    // Without a file of its own, openssl adds the machine's defaults.
    std::fs::write(layout.pki("openssl.cnf"), "[req]\ndistinguished_name=dn\n[dn]\n")?;
    request(
        layout,
        &Leaf {
            name: "ca",
            subject: "/CN=baton-test-cluster",
            extensions: &[
                "basicConstraints=critical,CA:true",
                "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
                "subjectKeyIdentifier=hash",
            ],
        },
        None,
    )?;
    let names = format!(
        "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,\
         DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1,IP:{GATEWAY}"
    );
    sign(layout, "apiserver", "/CN=kube-apiserver", &[SERVER, &names])?;
    sign(layout, "admin", "/O=system:masters/CN=admin", &[CLIENT])?;
    kubeconfig(layout, "admin", &layout.kubeconfig())?;
    for node in nodes {
        let name = node.to_string();
        let subject = format!("/O=system:nodes/CN=system:node:{name}");
        let names = format!("subjectAltName=DNS:{name},IP:{}", node.ip());
        sign(layout, &name, &subject, &[BOTH, &names])?;
        let file = layout.pki(&format!("{name}.kubeconfig"));
        kubeconfig(layout, &name, Path::new(&file))?;
    }
    let (key, public) = (layout.pki("sa.key"), layout.pki("sa.pub"));
    command::run(&["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", CURVE, "-out", &key])?;
    command::run(&["openssl", "pkey", "-in", &key, "-pubout", "-out", &public])?;
    Ok(())
}

const CURVE: &str = "ec_paramgen_curve:P-256";

fn sign(layout: &Layout, name: &str, subject: &str, extensions: &[&str]) -> Result<()> {
    let leaf = Leaf { name, subject, extensions };
    request(layout, &leaf, Some("ca"))
}

fn request(layout: &Layout, leaf: &Leaf<'_>, issuer: Option<&str>) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes"])
        .args(["-days", "365", "-subj", leaf.subject])
        .args(["-config", &layout.pki("openssl.cnf")])
        .args(["-keyout", &layout.pki(&format!("{}.key", leaf.name))])
        .args(["-out", &layout.pki(&format!("{}.crt", leaf.name))]);
    for extension in leaf.extensions {
        openssl.args(["-addext", extension]);
    }
    if let Some(issuer) = issuer {
        openssl
            .args(["-CA", &layout.pki(&format!("{issuer}.crt"))])
            .args(["-CAkey", &layout.pki(&format!("{issuer}.key"))]);
    }
    command::output(&mut openssl)?;
    Ok(())
}

fn kubeconfig(layout: &Layout, user: &str, file: &Path) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "baton",
        "contexts": [{"name": "baton", "context": {"cluster": "baton", "user": user}}],
        "clusters": [{"name": "baton", "cluster": {
            "server": format!("https://{GATEWAY}:6443"),
            "certificate-authority": layout.pki("ca.crt"),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate": layout.pki(&format!("{user}.crt")),
            "client-key": layout.pki(&format!("{user}.key")),
        }}],
    });
    Ok(std::fs::write(file, serde_json::to_vec_pretty(&config)?)?)
}
