// SPDX-License-Identifier: MIT
// The schedulers of experiments and the agents that obey them, at a bus.
export { type AgendaSource, type RunAgenda, runAgendaFile, staticAgenda } from "./agenda-source.ts";
export {
  type ArmedOrder,
  BusAgent,
  type BusAgentOptions,
  type Completion,
  type OrderClock,
  type Performed,
} from "./bus-agent.ts";
export { EventServer, eventServerName } from "./event-server.ts";
export { LogInstants } from "./log-instants.ts";
export {
  forgetPlan,
  hasPlan,
  openPlan,
  type PlanPlace,
  readPlan,
  readPlanName,
} from "./open-plan.ts";
export { OpsBus } from "./ops-bus.ts";
export { Scheduler, type SchedulerOptions } from "./scheduler.ts";
export { SchedulerLines } from "./scheduler-lines.ts";
export { checkStartable, SchedulerProcess } from "./scheduler-process.ts";
export { SealedBus } from "./sealed-bus.ts";
