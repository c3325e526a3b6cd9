import type { Message } from "../../support/inbox.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";

/** Members of `process/start` as an orchestrator prepares them: environment and ports together. */
export function managed(ports: readonly number[], allowLocalBinding = false): Message {
  const [port] = ports;
  const proxy = `http://127.0.0.1:${port}`;
  return {
    managedNetwork: { loopbackPorts: ports, allowLocalBinding },
    env: { PATH, HTTP_PROXY: proxy, http_proxy: proxy, HTTPS_PROXY: proxy, https_proxy: proxy },
  };
}
