import { DescriptorStream } from "../os/descriptor_stream.ts";
import type { Connector } from "./dial.ts";

/** Connects by the system's sockets, which can be joined without a detour through this program. */
export const connectByDescriptor: Connector = (address, port, signal) =>
  DescriptorStream.connect(address.toByteArray(), port, signal);
