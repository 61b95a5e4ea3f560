// SPDX-License-Identifier: MIT
// A model of topics that keeps nothing but what happened, and reads all of it for every answer.
// Slow, and too simple to be wrong in the way the core could be. Edges attach by themselves, and
// batches come in turn: that is naive-barriers.ts's subject.
import type { TopicCommand } from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import { payloadOverheadBytes } from "../core/limits.ts";

/** What an edge does in one entry. */
export type TopicStep =
  | TopicCommand
  | { readonly kind: "close-scope"; readonly scope: string; readonly error: number }
  | { readonly kind: "end-edge" };

interface Happened {
  readonly edge: string;
  readonly step: TopicStep;
}

/** What one entry led to: `EDGE KIND SCOPE/TOPIC NUMBER` in order, and payloads given free. */
export interface NaiveAnswer {
  readonly told: readonly string[];
  readonly freed: readonly number[];
}

export class NaiveTopics {
  readonly #limits: Limits;
  /** Only what was not refused. */
  #history: Happened[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** All steps of one entry of one edge. */
  apply(edge: string, steps: readonly TopicStep[]): NaiveAnswer {
    const told: string[] = [];
    const freed: number[] = [];
    const moved: string[] = [];
    for (const step of steps) {
      const answer = this.#applyOne(edge, step);
      told.push(...answer.told);
      freed.push(...answer.freed);
      if (step.kind === "close-scope") {
        const prefix = `${step.scope}/`;
        moved.splice(0, moved.length, ...moved.filter((key) => !key.startsWith(prefix)));
      }
      const key = step.kind === "publish" ? `${step.scope}/${step.topic}` : "";
      const counts = answer.told.some((line) => line.includes(" published "));
      if (counts && !moved.includes(key) && this.#followers(key).length > 0) moved.push(key);
      if (step.kind === "end-edge") break;
    }
    for (const key of moved) {
      for (const follower of this.#followers(key)) told.push(this.#stands(follower, key));
    }
    return { told, freed };
  }

  /** Ids of the payloads of a topic, in order. */
  messages(key: string): readonly number[] {
    return this.#published(key).map(({ payload }) => payload.id);
  }

  #applyOne(edge: string, step: TopicStep): NaiveAnswer {
    if (step.kind === "end-edge") {
      this.#history.push({ edge, step });
      return { told: [`${edge} revoked`], freed: [] };
    }
    if (step.kind === "close-scope") return this.#close(edge, step);
    const key = `${step.scope}/${step.topic}`;
    if (step.kind !== "topic-unfollow" && !this.#allows(step, key)) {
      const freed = step.kind === "publish" ? [step.payload.id] : [];
      return { told: [`${edge} refused ${step.connection}`], freed };
    }
    this.#history.push({ edge, step });
    if (step.kind === "publish") {
      const number = this.#published(key).length;
      return { told: [`${edge} published ${step.connection} ${key} ${number}`], freed: [] };
    }
    const told = step.kind === "topic-follow" ? [this.#stands(edge, key)] : [];
    return { told, freed: [] };
  }

  #close(edge: string, step: Extract<TopicStep, { kind: "close-scope" }>): NaiveAnswer {
    const keys = this.#topics(step.scope);
    const freed = keys.flatMap((key) => this.messages(key));
    const told = keys.flatMap((key) => this.#followers(key).map((each) => `${each} closed ${key}`));
    this.#history.push({ edge, step });
    return { told, freed };
  }

  #allows(step: Exclude<TopicCommand, { kind: "topic-unfollow" }>, key: string): boolean {
    const limits = this.#limits;
    const topics = this.#topics(step.scope);
    if (step.topic === "" || step.topic.length > limits.nameBytesMax) return false;
    if (!topics.includes(key) && topics.length >= limits.topicsPerScopeMax) return false;
    if (step.kind === "topic-follow") return true;
    const costs = topics.flatMap((each) => this.#published(each)).map(({ payload }) => payload);
    const bytes = costs.reduce((sum, each) => sum + each.bytes + payloadOverheadBytes, 0);
    const more = step.payload.bytes + payloadOverheadBytes;
    if (step.payload.bytes > limits.messageBytesMax) return false;
    return bytes + more <= limits.topicBytesPerScopeMax;
  }

  /** What has happened to a scope since it was last ended. */
  #since(scope: string): readonly Happened[] {
    const closed = this.#history.findLastIndex(
      ({ step }) => step.kind === "close-scope" && step.scope === scope,
    );
    return this.#history.slice(closed + 1);
  }

  #published(key: string): readonly Extract<TopicStep, { kind: "publish" }>[] {
    const [scope = ""] = key.split("/");
    return this.#since(scope).flatMap(({ step }) =>
      step.kind === "publish" && `${step.scope}/${step.topic}` === key ? [step] : [],
    );
  }

  /** In the order in which they began to follow. */
  #followers(key: string): readonly string[] {
    const [scope = ""] = key.split("/");
    let followers: readonly string[] = [];
    for (const { edge, step } of this.#since(scope)) {
      const concerns = "topic" in step && `${step.scope}/${step.topic}` === key;
      const without = followers.filter((each) => each !== edge);
      if (step.kind === "end-edge") followers = without;
      else if (concerns && step.kind === "topic-unfollow") followers = without;
      else if (concerns && step.kind === "topic-follow" && !followers.includes(edge)) {
        followers = [...followers, edge];
      }
    }
    return followers;
  }

  /** Topics that hold something or are followed, in any order. */
  #topics(scope: string): readonly string[] {
    const keys = new Set<string>();
    for (const { step } of this.#since(scope)) {
      if ("topic" in step && step.scope === scope) keys.add(`${scope}/${step.topic}`);
    }
    return [...keys].filter(
      (key) => this.#published(key).length > 0 || this.#followers(key).length > 0,
    );
  }

  #stands(edge: string, key: string): string {
    return `${edge} stands ${key} ${this.#published(key).length}`;
  }
}
