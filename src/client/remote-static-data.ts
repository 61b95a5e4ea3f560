// SPDX-License-Identifier: MIT
// The static data of an experiment over XML-RPC. Everything that comes is checked: a reply of the
// wrong shape is an error that names the method, never an empty list.
import { double, memberOf, text, type XmlRpcValue } from "../wire/xmlrpc/index.ts";
import {
  BossCallError,
  callBoss,
  experimentMembers,
  type Members,
  type XmlRpcTransport,
} from "./boss-client.ts";
import type {
  AgentRow,
  EventRow,
  ExperimentMetadata,
  GroupRow,
  StaticData,
  TimelineStart,
} from "./static-data.ts";

export class RemoteStaticData implements StaticData {
  readonly #transport: XmlRpcTransport;
  readonly #members: Members;

  constructor(transport: XmlRpcTransport, pid: string, eid: string) {
    this.#transport = transport;
    this.#members = experimentMembers(pid, eid);
  }

  async metadata(): Promise<ExperimentMetadata> {
    const method = "experiment.metadata";
    const value = await this.#call(method);
    const field = (name: string): string => textOf(method, memberOf(value, name));
    const environment = listOf(method, memberOf(value, "user_environment")).map(
      (one) =>
        [textOf(method, memberOf(one, "name")), textOf(method, memberOf(one, "value"))] as const,
    );
    return {
      pid: field("pid"),
      eid: field("eid"),
      index: numberOf(method, memberOf(value, "exptidx")),
      state: field("state"),
      creator: field("creator"),
      swapper: field("swapper"),
      path: field("path"),
      syncServer: field("sync_server"),
      environment,
    };
  }

  async state(): Promise<string> {
    const method = "experiment.state";
    return textOf(method, await this.#call(method));
  }

  async agents(): Promise<readonly AgentRow[]> {
    const rows = await this.#rows("experiment.event_agentlist", 5);
    return rows.map(([name = "", vnode = "", nodeId = "", address = "", objectType = ""]) => ({
      ...{ name, vnode, nodeId, address, objectType },
    }));
  }

  async groups(): Promise<readonly GroupRow[]> {
    const rows = await this.#rows("experiment.event_grouplist", 2);
    return rows.map(([group = "", agent = ""]) => ({ group, agent }));
  }

  async events(): Promise<readonly EventRow[]> {
    const rows = await this.#rows("experiment.event_eventlist", 8);
    return rows.map(([index, time, name = "", objectType = "", eventType = "", ...rest]) => {
      const [args = "", parent = "", trigger = ""] = rest;
      const numbers = { index: Number(index), timeSeconds: Number(time) };
      return { ...numbers, name, objectType, eventType, args, parent, trigger };
    });
  }

  async setStart(timeline: string, startSeconds: number | undefined): Promise<void> {
    await this.#call("experiment.event_time_start", [
      ["timeline", text(timeline)],
      ["time", double(startSeconds ?? 0)],
    ]);
  }

  async starts(): Promise<readonly TimelineStart[]> {
    const method = "experiment.event_time_start";
    return listOf(method, await this.#call(method)).map((one) => ({
      timeline: textOf(method, memberOf(one, "parent")),
      startSeconds: Number(textOf(method, memberOf(one, "arguments"))),
    }));
  }

  async #call(method: string, more: Members = []): Promise<XmlRpcValue> {
    return (await callBoss(this.#transport, method, [...this.#members, ...more])).value;
  }

  async #rows(method: string, columns: number): Promise<readonly (readonly string[])[]> {
    return listOf(method, await this.#call(method)).map((row) => {
      const texts = listOf(method, row).map((one) => textOf(method, one));
      if (texts.length !== columns) throw misshapen(method, `a row of ${columns} columns`);
      return texts;
    });
  }
}

function textOf(method: string, value: XmlRpcValue | undefined): string {
  if (value?.kind !== "string") throw misshapen(method, "a text");
  return value.value;
}

function numberOf(method: string, value: XmlRpcValue | undefined): number {
  if (value?.kind !== "int") throw misshapen(method, "a number");
  return value.value;
}

function listOf(method: string, value: XmlRpcValue | undefined): readonly XmlRpcValue[] {
  if (value?.kind !== "array") throw misshapen(method, "a list");
  return value.value;
}

function misshapen(method: string, wanted: string): BossCallError {
  return new BossCallError(
    method,
    -1,
    `boss answers ${method} without ${wanted} where one belongs`,
  );
}
