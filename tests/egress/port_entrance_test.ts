import { assertEquals } from "@std/assert";
import { proxyEnvironment } from "../../src/egress/egress_proxy.ts";
import { PortEntrance } from "../../src/egress/port_entrance.ts";
import { serveEcho, serveProxy } from "./support/served_proxy.ts";

/** What is left of a page and of curl's errors. */
async function curl(...args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command("curl", {
    args: ["-s", "-o", "/dev/stdout", "-w", " %{http_code} %{http_connect}", ...args],
    env: { NO_PROXY: "", no_proxy: "" },
  }).output();
  return `${code} ${new TextDecoder().decode(stdout)}`.replaceAll("\n", "");
}

const SEEN = "0 saw GET / HTTP/1.1 200 ";

/** How the proxy is spoken to, and what comes of the right and of a wrong or no password. */
const WAYS = {
  "HTTP": ["http", [], `${SEEN}000`, "0 remex: this proxy is another command's 407 000"],
  "CONNECT": ["http", ["--proxytunnel"], `${SEEN}200`, "56  000 407"],
  "SOCKS": ["socks5h", [], `${SEEN}000`, "97  000 000"],
} as const;

for (const [way, [scheme, options, answered, refused]] of Object.entries(WAYS)) {
  Deno.test({
    name: `a port that others can reach serves who has the password, by ${way}`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using origin = serveEcho();
      const entrance = new PortEntrance();
      const proxyPolicy = { rules: { "good.example": "allow" } } as const;
      await using _served = serveProxy(origin, { ...proxyPolicy, entrance });
      const { port, password: { user, text } } = entrance;
      const page = "http://good.example/";
      const through = (login: string) =>
        curl("--proxy", `${scheme}://${login}127.0.0.1:${port}`, ...options, page);
      assertEquals(await through(`${user}:${text}@`), answered);
      for (const login of ["", `${user}:wrong@`, `other:${text}@`]) {
        assertEquals(await through(login), refused, login);
      }
      assertEquals(origin.requests.length, 1);
    },
  });
}

Deno.test("common variables have the password in them", () => {
  using entrance = new PortEntrance();
  const { port, password } = entrance;
  const { HTTPS_PROXY } = proxyEnvironment({ port, password, ownLoopback: false });
  assertEquals(HTTPS_PROXY, `http://remex:${password.text}@127.0.0.1:${port}`);
});
