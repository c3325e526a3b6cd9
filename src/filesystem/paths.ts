import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { TempFile } from "./temp_file.ts";

/** What somebody is about to do with what a path leads to; `look` is to learn what it is. */
export type Use = "look" | "read" | "write";

/** Something that a path led to. */
export interface Place extends Disposable {
  /** What functions of the system are given to work on it. */
  readonly path: string;
  /** The path by which it can be found again. */
  readonly name: string;
  /** What it is: of a link that was not to be followed, the link. */
  stat(): Promise<Deno.FileInfo>;
  /** What the link says that it is. */
  readLink(): Promise<string>;
  /** What is in the directory that it is, in the system's order. */
  entries(): AsyncIterable<Deno.DirEntry>;
  /** Something in the directory that it is, to be read. A link is not followed. */
  child(name: string): Place;
}

/** Where a file is to be that gets written. */
export interface Destination extends Disposable {
  /** Leads functions of the system to the file there is, if there is one. */
  readonly file: string | undefined;
  /** Opens what is there for writing, and waits for a FIFO's reader. Undefined: there is nothing. */
  open(signal?: AbortSignal): Promise<FileHandle | undefined>;
  /** The name, free of links, that the file is to get if there is none. */
  newName(): Promise<string>;
  /** The name that leads to the file there is, if another file can take it over. */
  nameOf(file: Stats): Promise<string | undefined>;
  /** Creates a file beside that name, or there. */
  create(path: string, mode: number): Promise<TempFile>;
  /** Creates a file that has no name until it is finished, where there is such a thing. */
  createNameless(path: string, mode: number): Promise<TempFile>;
}

/**
 * How the paths of a request are followed, and what may be done with what they lead to.
 *
 * All throw the system's error for what is not there, and RpcError for what the request may not do.
 */
export interface Paths {
  /** What a path leads to in the end. */
  object(path: string, use: Use): Place;
  /** What is at a path: a link at its end is not followed. */
  entry(path: string, use: Use): Place;
  /** The path without symbolic links that leads to the same place. */
  canonical(path: string): Promise<string>;
  destination(path: string): Destination;
  /** One directory, or those above it too. Only with these may it be there already. */
  makeDirectory(path: string, recursive: boolean): Promise<void>;
  makeLink(target: string, path: string): Promise<void>;
  /** Removes a file, a link or a directory, with what is in it if asked to. */
  remove(path: string, recursive: boolean, signal?: AbortSignal): Promise<void>;
  /** Refuses to copy a directory part of which may not be copied, before any of it is. */
  approveCopy(source: Place, destination: string, signal?: AbortSignal): Promise<void>;
}
