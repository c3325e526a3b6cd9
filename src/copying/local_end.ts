import { answerDirectly, learnDirectory } from "../filesystem/fast_path.ts";
import { FileHandles } from "../filesystem/file_handles.ts";
import { toRpcError } from "../filesystem/io_error.ts";
import { hostPath, realPath, uriOf } from "../filesystem/named.ts";
import { openRegularFile } from "../filesystem/open.ts";
import { type FileMethod, performFileMethod } from "../filesystem/operations.ts";
import { plainPaths } from "../filesystem/plain_paths.ts";
import { PlaceReader } from "../filesystem/transfer.ts";
import { readableText } from "../os/os_string.ts";
import { ErrorCode, RpcError } from "../protocol/errors.ts";
import type { Params, ResultInput } from "../protocol/methods.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import {
  type Attributes,
  type BlockReader,
  type BlockWriter,
  type Entry,
  type FileEnd,
  type NewAttributes,
  SMALL_FILE_BYTES,
  type Status,
} from "./end.ts";

/** The files of this machine, used with all rights of this process. */
export class LocalEnd implements FileEnd {
  readonly #handles = new FileHandles();
  #lastHandle = 0;

  describe(path: PathUri): string {
    return readableText(hostPath(path));
  }

  async stat(path: PathUri, followLinks = true): Promise<Status | undefined> {
    const found = await unlessMissing(
      perform("fs/stat", { path, followLinks, sandbox: undefined }),
    );
    if (found === undefined) return undefined;
    const { identity, ...attributes } = found;
    return { ...parsed(attributes), identity: identity ?? undefined };
  }

  async *list(path: PathUri): AsyncGenerator<readonly Entry[]> {
    let after: string | undefined;
    for (;;) {
      const { entries, more } = await perform("fs/list", { path, after, sandbox: undefined });
      yield entries.map(({ name, ...attributes }) => ({ name, ...parsed(attributes) }));
      after = entries.at(-1)?.name;
      if (!more || after === undefined) return;
    }
  }

  async readFile(path: PathUri): Promise<Uint8Array<ArrayBuffer> | undefined> {
    await using reader = await this.openToRead(path);
    const bytes = await reader.read(0, SMALL_FILE_BYTES + 1);
    return bytes.length > SMALL_FILE_BYTES ? undefined : bytes;
  }

  async writeFile(
    path: PathUri,
    bytes: Uint8Array<ArrayBuffer>,
    { permissions, modifiedAtMs }: NewAttributes,
  ): Promise<void> {
    const dataBase64 = bytes.toBase64();
    await perform("fs/writeFile", {
      path,
      dataBase64,
      permissions,
      modifiedAtMs,
      sandbox: undefined,
    });
  }

  async openToRead(path: PathUri): Promise<BlockReader> {
    const name = hostPath(path);
    using place = plainPaths.object(name, "read");
    try {
      const { file } = await openRegularFile(place.path, name);
      return new PlaceReader(file);
    } catch (error) {
      throw toRpcError(error);
    }
  }

  async openToWrite(path: PathUri, key: string): Promise<BlockWriter> {
    const handles = this.#handles;
    const handleId = `${++this.#lastHandle}`;
    const opened = { handleId, path, mode: "resume", resumeKey: key, sandbox: undefined } as const;
    const { size } = await handles.open(opened);
    return {
      size: size ?? 0,
      write: async (offset, chunk) => {
        await handles.writeBlock({ handleId, offset, chunk });
      },
      commit: async (_, attributes) => {
        await handles.close({ handleId, ...attributes });
      },
      discard: async () => {
        await handles.close({ handleId, discard: true });
      },
    };
  }

  async makeDirectory(path: PathUri): Promise<void> {
    await perform("fs/createDirectory", { path, recursive: true, sandbox: undefined });
  }

  async makeLink(path: PathUri, target: Uint8Array<ArrayBuffer>): Promise<void> {
    await perform("fs/symlink", { path, targetBase64: target.toBase64(), sandbox: undefined });
  }

  async setAttributes(
    path: PathUri,
    { permissions, modifiedAtMs }: NewAttributes,
  ): Promise<void> {
    await perform("fs/setAttributes", { path, permissions, modifiedAtMs, sandbox: undefined });
  }

  async remove(path: PathUri): Promise<void> {
    await perform("fs/remove", { path, recursive: false, force: true, sandbox: undefined });
  }

  async canonical(path: PathUri): Promise<PathUri> {
    return uriOf(await realPath(hostPath(path)));
  }

  /** Closes what is open; what was not committed is left to be gone on with. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handles[Symbol.asyncDispose]();
  }
}

async function perform<M extends FileMethod>(
  method: M,
  params: Params<M>,
): Promise<ResultInput<M>> {
  const direct = answerDirectly(method, params);
  if (direct !== undefined) return direct;
  const result = await performFileMethod(method, params);
  learnDirectory(params);
  return result;
}

type Told = Omit<ResultInput<"fs/stat">, "identity">;

/** As an executor's answer is once it is parsed. */
function parsed({ targetBase64, permissions, ...rest }: Told): Attributes {
  return {
    ...rest,
    permissions: permissions ?? undefined,
    targetBase64: typeof targetBase64 === "string"
      ? Uint8Array.fromBase64(targetBase64)
      : undefined,
  };
}

/** Undefined for what is not there. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RpcError && error.code === ErrorCode.NotFound) return undefined;
    throw error;
  }
}
