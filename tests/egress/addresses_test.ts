import { assert, assertEquals } from "@std/assert";
import ipaddr from "ipaddr.js";
import { isPublic, OwnAddresses } from "../../src/egress/addresses.ts";

Deno.test("what only this machine and its neighbours reach is not public", () => {
  const addresses = [
    ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"],
    ...["169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1"],
    ...["203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"],
    ...["::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"],
    ...["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"],
    ...["64:ff9b:1::1", "2002:7f00:1::", "2001::1", "100::1", "3fff::1", "5f00::1", "1::1"],
  ];
  assertEquals(addresses.filter((address) => isPublic(ipaddr.parse(address))), []);
});

Deno.test("what everybody reaches is public", () => {
  const addresses = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"];
  assertEquals(addresses.filter((address) => !isPublic(ipaddr.parse(address))), []);
});

Deno.test("this machine's addresses are its own", () => {
  const own = new OwnAddresses();
  assert(own.has(ipaddr.parse("127.0.0.1")));
  assert(own.has(ipaddr.parse("::ffff:127.0.0.1")));
  assert(!own.has(ipaddr.parse("8.8.8.8")));
});
