import { encodeRequest, type RequestId } from "../protocol/envelope.ts";
import {
  policyAnswer,
  type PolicyDecision,
  type PolicyRequest,
  policyRequestResult,
} from "../protocol/network_proxy.ts";
import { MAX_TIMER_MS } from "../protocol/timer.ts";
import { authorityOf } from "../http/url.ts";
import type { Answer, Target } from "../egress/policy.ts";

/** Questions that may wait for an answer, of all commands of a session. */
const MAX_PENDING = 256;
/** Decisions that are remembered for all commands of a session. */
const MAX_REMEMBERED = 4096;
/** What the way to the client and back may take besides the time that the client has. */
const TRANSPORT_MS = 5_000;

const NO_ANSWER: Answer = { allow: false };

interface Pending {
  readonly processId: string;
  readonly settle: (decision: PolicyDecision | undefined) => void;
}

/** Decisions by host and port, while they hold. */
export type Decisions = Map<string, Promise<Answer>>;

/**
 * Asks a session's client about hosts that no rule decides. Whatever goes wrong is a denial: no
 * client, no answer in time, a connection that ends, too many questions.
 */
export class NetworkQuestions {
  readonly #pending = new Map<number, Pending>();
  /** What the client decided for all of its commands. */
  readonly #session = new Map<string, Answer>();
  readonly #send: (message: string) => boolean;
  #lastId = 0;

  /** @param send tells the client, and whether there is one */
  constructor(send: (message: string) => boolean) {
    this.#send = send;
  }

  /**
   * Asks once for a host and a port; the answer holds for the command, or longer if the client says
   * so.
   */
  ask(
    processId: string,
    target: Target,
    timeoutMs: number,
    decisions: Decisions,
  ): Promise<Answer> {
    const key = authorityOf(target.host, target.port);
    const decided = this.#session.get(key);
    if (decided !== undefined) return Promise.resolve(decided);
    const asked = decisions.get(key);
    if (asked !== undefined) return asked;
    const answer = this.#ask(processId, target, timeoutMs).then((decision) => {
      // Nobody decided: the next connection may ask again.
      if (decision === undefined) {
        decisions.delete(key);
        return NO_ANSWER;
      }
      const { type, reason, scope } = decision;
      const answer = { allow: type === "allow", ...reason === undefined ? {} : { reason } };
      if (scope === "session" && this.#session.size < MAX_REMEMBERED) {
        this.#session.set(key, answer);
      }
      if (type === "ask") decisions.delete(key);
      return answer;
    });
    decisions.set(key, answer);
    return answer;
  }

  /** Takes an answer. Returns whether it is one to a question that was asked, if long ago. */
  answered(id: RequestId, result: unknown): boolean {
    if (typeof id !== "number" || id < 1 || id > this.#lastId) return false;
    this.#take(id)?.settle(policyRequestResult.safeParse(result).data?.decision);
    return true;
  }

  /** Takes an answer that comes as a notification; one to no question is of no use, and no harm. */
  notified(params: unknown): void {
    const answer = policyAnswer.safeParse(params).data;
    const id = Number(answer?.requestId);
    if (answer === undefined || this.#pending.get(id)?.processId !== answer.processId) return;
    this.#take(id)?.settle(answer.decision);
  }

  /** Gives up the questions of one command, or all of them. */
  giveUp(processId?: string): void {
    for (const [id, pending] of this.#pending) {
      if (processId !== undefined && pending.processId !== processId) continue;
      this.#pending.delete(id);
      pending.settle(undefined);
    }
  }

  #ask(
    processId: string,
    { protocol, host, port }: Target,
    timeoutMs: number,
  ): Promise<PolicyDecision | undefined> {
    if (this.#pending.size >= MAX_PENDING) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    const request = { protocol, host: host.name, port };
    const params: PolicyRequest = { requestId: String(id), processId, request };
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.#take(id)?.settle(undefined),
        Math.min(timeoutMs + TRANSPORT_MS, MAX_TIMER_MS),
      );
      const settle = (decision: PolicyDecision | undefined) => {
        clearTimeout(timer);
        resolve(decision);
      };
      this.#pending.set(id, { processId, settle });
      if (this.#send(encodeRequest(id, "network/policyRequest", params))) return;
      this.#take(id)?.settle(undefined);
    });
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
