export { createVirtualClock } from './virtual-clock.js';
export type { VirtualClock, VirtualClockOptions } from './virtual-clock.js';
export { virtualRuntime } from './virtual-runtime.js';
export type {
  VirtualAnswer,
  VirtualCall,
  VirtualGate,
  VirtualRuntimeOptions,
  VirtualWorld,
} from './virtual-runtime.js';
