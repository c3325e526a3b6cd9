import type { OutputsOwner } from "../../src/process/child.ts";
import type { ProcessKeeper } from "../../src/process/process_keeper.ts";

/** Answers for no processes, but remembers what it was told. */
export class FakeKeeper implements ProcessKeeper {
  readonly calls: string[] = [];
  readonly ended = new Set<object>();

  started({ pid }: OutputsOwner): void {
    this.calls.push(`started ${pid}`);
  }

  exited(pid: number): void {
    this.calls.push(`exited ${pid}`);
  }

  requestEnd(): void {
    this.calls.push("requestEnd");
  }

  requestEndOf(): void {
    this.calls.push("requestEndOf");
  }

  get leftBehind(): number {
    return 0;
  }

  leftBehindOf(): number {
    return 0;
  }

  killerOf(pid: number): () => void {
    return () => this.calls.push(`killLeft ${pid}`);
  }

  killAllOf(owner: object): number {
    this.calls.push("killAllOf");
    this.ended.add(owner);
    return 0;
  }

  killAll(): Promise<void> {
    this.calls.push("killAll");
    return Promise.resolve();
  }
}
