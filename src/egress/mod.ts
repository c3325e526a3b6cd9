/** What is loaded with the first command that has a proxy. */
export { connectByDescriptor } from "./dial.ts";
export { DomainPatternError, DomainRules } from "./domain_rules.ts";
export { EgressProxy, proxyEnvironment } from "./egress_proxy.ts";
export { EgressPolicy } from "./policy.ts";
export { connectByRuntime, PortEntrance } from "./port_entrance.ts";
