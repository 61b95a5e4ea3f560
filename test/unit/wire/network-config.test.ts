// SPDX-License-Identifier: MIT
// Goal: what an instance asks of its network is understood as the SDKs mean it, and what cannot be
// done is refused by name. Method: rows.
import { describe, expect, it } from "vitest";
import {
  decodeNetworkConfig,
  nameState,
  parseNetworkTopic,
} from "../../../src/wire/testground/index.ts";

const decode = (config: unknown) => decodeNetworkConfig(JSON.stringify(config));
const asked = (more: object) => decode({ network: "default", enable: true, ...more });
const none = { latencyUs: 0, jitterUs: 0, bandwidthBps: 0, loss: 0, reorder: 0, duplicate: 0 };

describe("decodeNetworkConfig", () => {
  it("takes what the SDK for Go sends, zeros and all", () => {
    const shape = {
      ...{ latency: 100_000_000, jitter: 2_000_000, bandwidth: 1 << 20, filter: 0, loss: 1 },
      ...{ corrupt: 0, corrupt_corr: 0, reorder: 5, reorder_corr: 0, duplicate: 50 },
      duplicate_corr: 0,
    };
    const config = {
      ...{ network: "default", IPv4: null, IPv6: null, enable: true, default: shape, rules: null },
      ...{ callback_state: "shaped", routing_policy: "deny_all" },
    };
    expect(decode(config)).toEqual({
      ...{ network: "default", isEnabled: true, address: undefined, callbackState: "shaped" },
      shape: {
        ...{ latencyUs: 100_000, jitterUs: 2_000, bandwidthBps: 1_048_576 },
        ...{ loss: 0.01, reorder: 0.05, duplicate: 0.5 },
      },
    });
  });

  it.each([
    [{}, none],
    [{ default: { bandwith: 1000 } }, { ...none, bandwidthBps: 1000 }],
    [{ Default: { Latency: 1_499 } }, { ...none, latencyUs: 1 }],
  ])("%j is the shape %j", (more, shape) => {
    expect(asked(more)).toMatchObject({ shape });
  });

  it.each([
    [{ default: { corrupt: 1 } }, /^corrupt is not built/],
    [{ default: { duplicate_corr: 1 } }, /^duplicate_corr is not built/],
    [{ default: { filter: 2 } }, /^filter is not built; enable: false/],
    [{ default: { latancy: 1 } }, /^a shape has no latancy; it has latency, /],
    [{ default: { latency: "50ms" } }, /^latency is a number of nanoseconds, not "50ms"$/],
    [{ default: { loss: -1 } }, /^loss is a number of percent, not -1$/],
    [{ default: [] }, /^default is an object/],
    [{ rules: [{ subnet: "10.0.0.0/8" }] }, /^rules for subnets are not built/],
    [{ routing_policy: "allow_all" }, /^routing_policy allow_all cannot be: /],
    [{ routing_policy: "some" }, /^routing_policy is deny_all, or left out$/],
    [{ IPv6: "::1/64" }, /^nodes have no IPv6 address/],
    [{ enable: "yes" }, /^enable is true, or false/],
    [{ callback_state: 1 }, /^callback_state is a text$/],
    [{ speed: 1 }, /^a network configuration has no speed; it has network, /],
  ])("%j is refused: %s", (more, refusal) => {
    expect(asked(more)).toEqual({ refusal: expect.stringMatching(refusal) });
  });

  it.each([null, [], "x", 1])("%j is none", (config) => {
    expect(decode(config)).toEqual({ refusal: "a network configuration is an object" });
  });
});

describe("parseNetworkTopic", () => {
  it("tells the host, and what states beside it are called", () => {
    const topic = parseNetworkTopic("plan:p:case:c:topics:network:a.eid.pid");
    expect(topic).toEqual({ host: "a.eid.pid", prefix: "plan:p:case:c:" });
    expect(nameState(topic?.prefix ?? "", "s")).toBe("plan:p:case:c:states:s");
  });

  it.each(["plan:p:case:c:topics:networks", "plan:p:case:c:states:network:a", "network:a"])(
    "%s is another",
    (name) => {
      expect(parseNetworkTopic(name)).toBeUndefined();
    },
  );
});
