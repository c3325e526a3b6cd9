import { type Figure, rate } from "./figure.ts";
import { RawConnection } from "./raw_connection.ts";
import { quantile, time } from "./statistics.ts";

const MIB = 1024 * 1024;
const FILE_MIB = 8;

/** Reads or writes a file of the temporary directory, one request after the other. */
export async function fileThroughput(
  url: string,
  method: "fs/readFile" | "fs/writeFile",
): Promise<Figure> {
  using connection = await RawConnection.open(url);
  const file = await Deno.makeTempFile({ prefix: "remex-bench-" });
  try {
    const content = new Uint8Array(FILE_MIB * MIB);
    for (let offset = 0; offset < content.length; offset += 65536) {
      crypto.getRandomValues(content.subarray(offset, offset + 65536));
    }
    await Deno.writeFile(file, content);
    const path = `file://${file}`;
    const params = method === "fs/readFile" ? { path } : { path, dataBase64: content.toBase64() };
    const request = RawConnection.encode(method, params);
    const samples = await time(30, async () => {
      const { text } = await connection.request(request);
      if (!text.includes('"result"')) throw new Error(text);
    });
    return rate(FILE_MIB, quantile(samples, 0.5));
  } finally {
    await Deno.remove(file);
  }
}
