// SPDX-License-Identifier: MIT
// Numbers of the GNUnet testbed wire, as far as barriers need it. [GNUNET-BARRIERS 2]
// [GNUNET-BARRIERS 4.1]

/** TCP port of service `testbed` (drivers), where it is opened at all. */
export const testbedPort = 2101;
/** TCP port of service `testbed-barrier` (peers). */
export const barrierPort = 2103;

/** Size and type, both u16. */
export const headerBytes = 4;
/** What the size field can say, the header included. */
export const messageBytesMax = 65_535;
/** Longest name that a STATUS can carry: size 65535 less the fixed part and the NUL. */
export const nameBytesMaxOnWire: number = messageBytesMax - 8 - 1;

export const typeTestbedInit = 460;
export const typeAddHost = 461;
export const typeHostAdded = 462;
export const typeLinkControllers = 463;
export const typeCreatePeer = 464;
export const typeReconfigurePeer = 465;
export const typeStartPeer = 466;
export const typeStopPeer = 467;
export const typeDestroyPeer = 468;
export const typeOperationFailed = 473;
export const typePeerCreated = 474;
export const typeOperationSucceeded = 475;
export const typeGetPeerInformation = 476;
export const typeGetSlaveConfiguration = 479;
export const typeLinkResult = 481;
export const typeShutdownPeers = 482;
export const typeBarrierInit = 484;
export const typeBarrierCancel = 485;
export const typeBarrierStatus = 486;
export const typeBarrierWait = 487;

/** Word in the answers to operations: the operation is over. */
export const eventOperationFinished = 4;

export const statusInitialised = 1;
export const statusCrossed = 2;
export const statusError = 3;

/** A quorum is a percentage; the old server did not check it. [GNUNET-BARRIERS 9.11] */
export const quorumMax = 100;
