//! The token that an agent shows: which pod it is of, by the API server's word.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;

use super::AUDIENCE;
use crate::api::{ApiError, ApiServer};

/// The name of every service account begins so.
const ACCOUNT: &str = "system:serviceaccount:";

/// What tokens of pods say besides the account.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// The largest token that is looked at. Real ones have about 1,200 bytes.
pub(super) const TOKEN_BYTES: usize = 16 * 1024;

/// The pod that a token is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) namespace: String,
    pub(super) pod_name: String,
    pub(super) pod_uid: String,
}

/// A token that is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The API server cannot be asked.
    #[error("the token cannot be checked: {0}")]
    Api(#[from] ApiError),
    /// It is forged, has expired, is for somebody else, or its pod is gone.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// It is of no pod.
    #[error("the token is not that of a pod")]
    NoPod,
}

/// Asks the API server whose token it is. For one that is bound to a pod, it looks whether the pod is still there.
pub(super) async fn review(api: &ApiServer, token: String) -> Result<Bearer, TokenError> {
    let spec = TokenReviewSpec { token: Some(token), audiences: Some(vec![AUDIENCE.to_owned()]) };
    let review = TokenReview { spec, ..TokenReview::default() };
    let reviews: Api<TokenReview> = Api::all(api.client());
    let answer = api.call(reviews.create(&PostParams::default(), &review)).await?;
    bearer(answer.status.unwrap_or_default())
}

fn bearer(status: TokenReviewStatus) -> Result<Bearer, TokenError> {
    let TokenReviewStatus { authenticated, audiences, error, user } = status;
    if authenticated != Some(true) {
        return Err(TokenError::Refused(error.unwrap_or_else(|| "it authenticates nobody".to_owned())));
    }
    // An API server that does not know audiences names none: it has checked the token for its own.
    if !audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE) {
        return Err(TokenError::Refused("it is for another audience".to_owned()));
    }
    let user = user.unwrap_or_default();
    let extra = user.extra.unwrap_or_default();
    let account = user.username.unwrap_or_default();
    let namespace = account.strip_prefix(ACCOUNT).and_then(|account| account.split_once(':')).map(|(first, _)| first);
    match (namespace, only(&extra, POD_NAME), only(&extra, POD_UID)) {
        (Some(namespace), Some(pod_name), Some(pod_uid)) => {
            Ok(Bearer { namespace: namespace.to_owned(), pod_name, pod_uid })
        }
        _ => Err(TokenError::NoPod),
    }
}

fn only(extra: &BTreeMap<String, Vec<String>>, field: &str) -> Option<String> {
    match extra.get(field)?.as_slice() {
        [value] if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    fn accepted() -> TokenReviewStatus {
        let extra = [(POD_NAME, "web-1"), (POD_UID, "uid-1")];
        let extra = extra.map(|(field, value)| (field.to_owned(), vec![value.to_owned()]));
        let username = Some("system:serviceaccount:shop:default".to_owned());
        let user = UserInfo { username, extra: Some(extra.into()), ..UserInfo::default() };
        let audiences = Some(vec![AUDIENCE.to_owned()]);
        TokenReviewStatus { authenticated: Some(true), audiences, error: None, user: Some(user) }
    }

    #[test]
    fn the_token_of_a_pod_names_it() {
        let bearer = bearer(accepted()).expect("a pod");
        assert_eq!(bearer, Bearer { namespace: "shop".into(), pod_name: "web-1".into(), pod_uid: "uid-1".into() });
    }

    #[test]
    fn a_token_that_authenticates_nobody_is_refused() {
        for authenticated in [None, Some(false)] {
            let error = bearer(TokenReviewStatus { authenticated, error: Some("expired".into()), ..accepted() });
            assert!(matches!(error, Err(TokenError::Refused(reason)) if reason == "expired"));
        }
    }

    #[test]
    fn a_token_for_somebody_else_is_refused() {
        for audiences in [None, Some(vec![]), Some(vec!["https://kubernetes.default.svc".into()])] {
            assert!(matches!(bearer(TokenReviewStatus { audiences, ..accepted() }), Err(TokenError::Refused(_))));
        }
    }

    #[test]
    fn a_token_of_no_pod_is_refused() {
        let changed = |change: fn(&mut UserInfo)| {
            let mut status = accepted();
            change(status.user.as_mut().expect("a user"));
            bearer(status)
        };
        let cases: [fn(&mut UserInfo); 4] = [
            |user| user.username = Some("system:node:a".into()),
            |user| user.extra = None,
            |user| drop(user.extra.as_mut().and_then(|extra| extra.remove(POD_UID))),
            |user| {
                drop(user.extra.as_mut().and_then(|extra| extra.insert(POD_UID.into(), vec!["a".into(), "b".into()])))
            },
        ];
        for case in cases {
            assert!(matches!(changed(case), Err(TokenError::NoPod)));
        }
    }
}
