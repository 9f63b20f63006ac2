import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Bytes of an answer that are read, so that its socket can be used again. A longer one costs the socket. */
const MAX_BODY = 64 * 1024;

/**
 * One request and the status of its answer; the body is read and forgotten. A status that came decides, whatever becomes of
 * the body. undici's `request` would make a stream of every body and a signal of every time-out, for a third of deliver's CPU.
 *
 * `timeout` in milliseconds for all of it, waiting for a socket included: what starts later is never sent.
 *
 * @throws TimeoutError, or undici's error.
 */
export function exchange(
  dispatcher: Pick<Dispatcher, "dispatch">,
  options: Dispatcher.DispatchOptions,
  timeout: number,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(options, new Exchange(timeout, resolve, reject));
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answered: Answered) => void;
  readonly #reject: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #expired: TimeoutError | undefined;
  #answered: Answered | undefined;
  #received = 0;

  constructor(timeout: number, resolve: (answered: Answered) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#expire(), timeout);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#expired !== undefined) controller.abort(this.#expired);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 103 and its like go before the answer.
    if (status >= 200) this.#answered = { status, headers };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > MAX_BODY) controller.abort(new Error(`more than ${MAX_BODY} bytes`));
  }

  onResponseEnd(): void {
    this.#settle();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#settle(error);
  }

  #expire(): void {
    this.#expired = new TimeoutError();
    this.#controller?.abort(this.#expired);
    this.#settle(this.#expired);
  }

  #settle(error?: Error): void {
    clearTimeout(this.#timer);
    if (this.#answered !== undefined) this.#resolve(this.#answered);
    else this.#reject(error ?? new Error("an end without an answer"));
  }
}

class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}
