import { assertEquals } from "@std/assert";
import { signedTokenCheck, type SignedTokenRules } from "../../src/transport/signed_token.ts";
import { inSeconds, jsonWebToken, unsigned } from "../support/json_web_token.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const SOON = inSeconds(3600);
const NOT_SIGNED = "the token is not signed as required";

const anyone: SignedTokenRules = {
  secret: new TextEncoder().encode(SECRET),
  issuer: undefined,
  audience: undefined,
  maxClockSkewSeconds: 30,
};

async function reason(token: string, rules: Partial<SignedTokenRules> = {}) {
  const check = await signedTokenCheck({ ...anyone, ...rules });
  const verdict = await check(token);
  return verdict.kind === "refused" ? verdict.reason : undefined;
}

Deno.test("whom a token names is told", async () => {
  const check = await signedTokenCheck(anyone);
  const token = await jsonWebToken(SECRET, { exp: SOON, sub: "ada" });
  assertEquals(await check(token), { kind: "accepted", subject: "ada" });
});

Deno.test("a token that is signed and has not expired is accepted", async () => {
  assertEquals(await reason(await jsonWebToken(SECRET, { exp: SOON })), undefined);
  assertEquals(
    await reason(await jsonWebToken(SECRET, { exp: SOON }, { alg: "HS256" })),
    undefined,
  );
});

Deno.test("times are respected, within what clocks may be apart", async () => {
  const cases: [claims: Record<string, unknown>, reason: string | undefined][] = [
    [{}, "the token does not say when it expires"],
    [{ exp: "tomorrow" }, "the token does not say when it expires"],
    [{ exp: inSeconds(-20) }, undefined],
    [{ exp: inSeconds(-40) }, "the token has expired"],
    [{ exp: SOON, nbf: inSeconds(20) }, undefined],
    [{ exp: SOON, nbf: inSeconds(100) }, "the token is not valid yet"],
    [{ exp: SOON, nbf: "now" }, "the token is not valid yet"],
    [{ exp: SOON, iat: inSeconds(20) }, undefined],
    [{ exp: SOON, iat: inSeconds(100) }, "the token was issued in the future"],
    [{ exp: SOON, iat: "now" }, "the token makes a claim that cannot be read"],
  ];
  for (const [claims, expected] of cases) {
    assertEquals(
      await reason(await jsonWebToken(SECRET, claims)),
      expected,
      JSON.stringify(claims),
    );
  }
  const late = await jsonWebToken(SECRET, { exp: inSeconds(-1) });
  assertEquals(await reason(late, { maxClockSkewSeconds: 0 }), "the token has expired");
});

Deno.test("issuer and audience are asked for if they were named", async () => {
  const rules = { issuer: "me", audience: "here" };
  const cases: [claims: Record<string, unknown>, reason: string | undefined][] = [
    [{ iss: "me", aud: "here" }, undefined],
    [{ iss: "me", aud: ["there", "here"] }, undefined],
    [{ iss: "you", aud: "here" }, "the token is from another issuer"],
    [{ aud: "here" }, "the token is from another issuer"],
    [{ iss: "me", aud: "there" }, "the token is meant for another audience"],
    [{ iss: "me", aud: [] }, "the token is meant for another audience"],
    [{ iss: "me" }, "the token is meant for another audience"],
  ];
  for (const [claims, expected] of cases) {
    const token = await jsonWebToken(SECRET, { exp: SOON, ...claims });
    assertEquals(await reason(token, rules), expected, JSON.stringify(claims));
  }
});

Deno.test("no other algorithm, key or content gets in", async () => {
  const claims = { exp: SOON };
  const good = await jsonWebToken(SECRET, claims);
  const [header, payload, signature] = good.split(".");
  const later = (await jsonWebToken("another secret", { exp: SOON + 1 })).split(".")[1];
  const forged = [
    await jsonWebToken(`${SECRET}x`, claims),
    await jsonWebToken(SECRET, claims, { alg: "HS512" }),
    await jsonWebToken(SECRET, claims, { alg: "hs256" }),
    await jsonWebToken(SECRET, claims, { alg: "RS256" }),
    await jsonWebToken(SECRET, claims, {}),
    await jsonWebToken(SECRET, claims, { alg: "none" }),
    unsigned(await jsonWebToken(SECRET, claims, { alg: "none" })),
    unsigned(await jsonWebToken(SECRET, claims, { alg: "None" })),
    await jsonWebToken(SECRET, claims, { alg: "HS256", crit: ["exp"], exp: 1 }),
    unsigned(good),
    `${header}.${later}.${signature}`,
    `${header}.${payload}`,
    `${good}.x`,
    "",
    "..",
    "nonsense",
  ];
  for (const token of forged) assertEquals(await reason(token), NOT_SIGNED, token);
});
