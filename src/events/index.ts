// SPDX-License-Identifier: MIT
// The schedulers of experiments and the agents that obey them, at a bus.
export { BusAgent, type BusAgentOptions, type Performed } from "./bus-agent.ts";
export { EventServer, eventServerName } from "./event-server.ts";
export { Scheduler, type SchedulerOptions } from "./scheduler.ts";
export { SchedulerRecall } from "./scheduler-recall.ts";
