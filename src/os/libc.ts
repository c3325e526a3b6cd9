/** The C library, by the name under which the dynamic linker has loaded it already. */
const LIBRARIES: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "/usr/lib/libSystem.B.dylib",
};

/** Where the error number of a thread's last call is, and the words for it (errno(3)). */
const errnoFunctions = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of a table, typed. */
export type Functions<F extends Deno.ForeignLibraryInterface> = Deno.DynamicLibrary<F>["symbols"];

const declared: (() => object | undefined)[] = [];

/** The functions that tell errors; undefined elsewhere than on Linux. */
export const errnoLibrary: () => Functions<typeof errnoFunctions> | undefined = once(() =>
  Deno.build.os === "linux" ? open(errnoFunctions) : undefined
);

/**
 * Declares the functions of the C library that one concern needs. Each is opened when it is first
 * called, as that takes a fifth of a millisecond, and stays open as long as the program runs.
 *
 * @throws {Deno.errors.NotSupported} when called on a system without such a library
 */
export function libraryTable<F extends Deno.ForeignLibraryInterface>(
  functions: F,
): () => Functions<F> {
  return declare(() => {
    openErrnoLibrary();
    return open(functions);
  });
}

/** The same for what is only called on Linux, and undefined elsewhere. */
export function linuxTable<F extends Deno.ForeignLibraryInterface>(
  functions: F,
): () => Functions<F> | undefined {
  return declare(() => {
    openErrnoLibrary();
    return Deno.build.os === "linux" ? open(functions) : undefined;
  });
}

/** Whether {@linkcode libraryTable} can be used on this system. */
export function hasLibrary(): boolean {
  return LIBRARIES[Deno.build.os] !== undefined;
}

/**
 * Opens the functions of the modules that have been loaded. Tests do so before the first of them, which
 * would be blamed for a library that stays open.
 */
export function openDeclaredTables(): void {
  for (const table of declared) openAll(table());
}

/** To be open when a call fails: opening it then could change the number of the error. */
function openErrnoLibrary(): void {
  openAll(errnoLibrary());
}

function openAll(table: object | undefined): void {
  // Whoever asks for a value has it opened.
  if (table !== undefined) Object.values(table);
}

function declare<T extends object | undefined>(open: () => T): () => T {
  const table = once(open);
  declared.push(table);
  return table;
}

/** A table never changes once it is open: this remembers it. */
function once<T>(open: () => T): () => T {
  let opened: { readonly value: T } | undefined;
  return () => (opened ??= { value: open() }).value;
}

function open<F extends Deno.ForeignLibraryInterface>(functions: F): Functions<F> {
  const library = LIBRARIES[Deno.build.os];
  if (library === undefined) throw new Deno.errors.NotSupported("no C library is known here");
  const table = {};
  for (const [name, definition] of Object.entries(functions)) {
    Object.defineProperty(table, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = Deno.dlopen(library, { [name]: definition }).symbols[name];
        Object.defineProperty(table, name, { value, enumerable: true });
        return value;
      },
    });
  }
  if (hasAll(table, functions)) return table;
  throw new Deno.errors.NotSupported("some functions of the C library have no names");
}

function hasAll<F extends Deno.ForeignLibraryInterface>(
  table: object,
  functions: F,
): table is Functions<F> {
  return Object.keys(functions).every((name) => name in table);
}
