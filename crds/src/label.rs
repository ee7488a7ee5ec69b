//! Labels, annotations and container names that the operator, the injector and users share.

/// Opts a pod or a namespace in or out: [`INJECT_ENABLED`] or [`INJECT_DISABLED`].
pub const INJECT: &str = "baton.dev/inject";
/// The value of [`INJECT`] that asks for an agent.
pub const INJECT_ENABLED: &str = "enabled";
/// The value of [`INJECT`] on a pod that refuses an agent, whatever its namespace says.
pub const INJECT_DISABLED: &str = "disabled";
/// On injected pods and on keepers, the name of their HandoffGroup.
pub const GROUP: &str = "baton.dev/group";
/// On the pods of keepers, beside [`GROUP`]: [`KEEPER_TRUE`].
pub const KEEPER: &str = "baton.dev/keeper";
/// The only value of [`KEEPER`].
pub const KEEPER_TRUE: &str = "true";
/// The annotation on injected pods that names the agent's image.
pub const INJECTED: &str = "baton.dev/injected";
/// The name of the injected container.
pub const AGENT_CONTAINER: &str = "baton-agent";
