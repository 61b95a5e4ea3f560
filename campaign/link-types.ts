// SPDX-License-Identifier: MIT
// Ten kinds of link, from a modem to a machine room, as files of one link each.

export interface LinkType {
  readonly name: string;
  readonly there: Figures;
  /** The other way, where that differs. */
  readonly back?: Figures;
}

/** As experiment files write them; the delay and the loss of one way. */
interface Figures {
  readonly bandwidth: string;
  readonly delay: string;
  readonly loss: string;
}

const line = (name: string, bandwidth: string, delay: string, loss = "0%"): LinkType => ({
  name,
  there: { bandwidth, delay, loss },
});

export const linkTypes: readonly LinkType[] = [
  line("bad radio", "64kbps", "50ms", "10%"),
  line("modem", "512kbps", "30ms"),
  {
    name: "ADSL",
    there: { bandwidth: "1Mbps", delay: "15ms", loss: "0%" },
    back: { bandwidth: "8Mbps", delay: "15ms", loss: "0%" },
  },
  line("satellite", "2Mbps", "300ms"),
  line("old Ethernet", "10Mbps", "0ms"),
  line("lossy radio", "10Mbps", "25ms", "1%"),
  line("next town", "20Mbps", "2ms"),
  line("long line", "50Mbps", "80ms", "0.1%"),
  line("machine room", "50Mbps", "500us"),
  line("fast line", "100Mbps", "10ms", "1%"),
];

export function formatLinkType({ there, back = there }: LinkType): string {
  return `nodes: [left, right]
links:
  line: { between: [left, right], forward: ${flow(there)}, backward: ${flow(back)} }
`;
}

function flow({ bandwidth, delay, loss }: Figures): string {
  return `{ bandwidth: ${bandwidth}, delay: ${delay}, loss: ${loss} }`;
}
