// SPDX-License-Identifier: MIT
// What a probe is told and what it answers: JSON, so that whoever starts it may be elsewhere.
// Numbers, no verdicts (linktest/judge.ts).

/** One end of a pair in one pass. The first end pings; both may send and receive. */
export interface ProbeOrder {
  /** Told apart from packets of other tests and passes. */
  readonly session: number;
  readonly own: { readonly address: string; readonly port: number };
  readonly peer: { readonly address: string; readonly port: number };
  /** Where all probes of the pass meet before the first packet, with whom, and until when. */
  readonly meeting: ProbeMeeting;
  /** Done one after the other; both ends have the same number of steps. */
  readonly steps: readonly ProbeStep[];
}

export interface ProbeMeeting {
  /** A sync server. */
  readonly address: string;
  readonly port: number;
  readonly barrier: string;
  /** How many others come; the other probes wait only. */
  readonly others?: number;
  readonly timeoutMs: number;
}

export interface ProbeStep {
  /** Sends pings; the other end answers without being told. */
  readonly ping?: PingStep;
  readonly send?: SendStep;
  /** Until the other end says that it has ended; 0 packets: it only pings. */
  readonly receive?: {
    readonly packets: number;
    /** Of a link that is full: from one packet to the next, microseconds. */
    readonly spacingUs?: number;
  };
  /** After this long the step is over whatever has come. */
  readonly timeoutMs: number;
}

export interface PingStep {
  readonly count: number;
  readonly intervalMs: number;
  /** For the last answers. */
  readonly waitMs: number;
}

export interface SendStep {
  readonly packets: number;
  readonly payloadBytes: number;
  readonly intervalUs: number;
  /** Sent at once at most, after this end did not run; what is due then is sent later. */
  readonly burstPacketsMax: number;
  /** After this long it gives up, however few it has sent. */
  readonly giveUpMs: number;
  /** It is to keep a link full: what that takes for a packet on average, and its queue. */
  readonly fills?: { readonly spacingUs: number; readonly queuePackets: number };
}

export interface ProbeAnswer {
  /** Of each step. */
  readonly steps: readonly StepAnswer[];
}

export interface StepAnswer {
  readonly ping?: {
    readonly sent: number;
    /** One way each, microseconds of the clock that both ends share. */
    readonly thereUs: readonly number[];
    readonly backUs: readonly number[];
  };
  readonly sent?: {
    /** That the kernel took. */
    readonly packets: number;
    /** From the first to the last, microseconds. */
    readonly tookUs: number;
    /** When the last one was sent, on the clock that both ends share. */
    readonly lastUs: number;
    /** So long the link that it was to fill had nothing to carry, microseconds. */
    readonly idleUs?: number;
    /** Packets a second where it was slowest of what the receiver may time (F3). */
    readonly leastOffered?: number;
  };
  readonly received?: {
    readonly packets: number;
    /** Two packets far apart, as they were read, and how many came from the one to the other. */
    readonly firstUs: number;
    readonly lastUs: number;
    readonly between: number;
    /** When this end stopped counting, on the clock that both ends share. */
    readonly endedUs: number;
    /** What the kernel had no room for at this socket. */
    readonly overflowed: number;
  };
}
