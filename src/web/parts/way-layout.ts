/** Where things stand in the picture of the packets' way, in its own units. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface WayLayout {
  readonly width: number;
  readonly height: number;
  readonly across: boolean;
  readonly customers: Box;
  readonly testers: Box;
  readonly address: Box;
  readonly bridge: Box;
  readonly primary: Box;
  readonly secondary: Box;
}

/** From left to right, where there is room for it. */
export const WIDE: WayLayout = {
  width: 1120,
  height: 316,
  across: true,
  customers: { x: 4, y: 44, w: 156, h: 76 },
  testers: { x: 4, y: 196, w: 156, h: 76 },
  address: { x: 296, y: 92, w: 200, h: 132 },
  bridge: { x: 548, y: 112, w: 112, h: 92 },
  primary: { x: 892, y: 16, w: 224, h: 124 },
  secondary: { x: 892, y: 176, w: 224, h: 124 },
};

/** From top to bottom, on a phone. */
export const TALL: WayLayout = {
  width: 360,
  height: 580,
  across: false,
  customers: { x: 2, y: 4, w: 172, h: 72 },
  testers: { x: 186, y: 4, w: 172, h: 72 },
  address: { x: 60, y: 142, w: 240, h: 104 },
  bridge: { x: 116, y: 296, w: 128, h: 62 },
  primary: { x: 2, y: 446, w: 174, h: 130 },
  secondary: { x: 184, y: 446, w: 174, h: 130 },
};

/** Lanes run side by side through the address and the bridge. */
export const LANE = { customers: -18, draining: 0, testers: 18 } as const;
export type Lane = keyof typeof LANE;

export const center = ({ x, y, w, h }: Box): Point => ({ x: x + w / 2, y: y + h / 2 });

/** From a box's far side to another's near side, with a bend at each end. */
export function bend(a: Point, b: Point, across: boolean): string {
  if (across) {
    const middle = (a.x + b.x) / 2;
    return `C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
  }
  const middle = (a.y + b.y) / 2;
  return `C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${b.y}`;
}

/** The middle of its far side (where packets leave), or of its near side (where they arrive), `offset` to the side. */
export function edge(box: Box, side: 'near' | 'far', across: boolean, offset = 0): Point {
  const { x, y } = center(box);
  if (across) return { x: side === 'near' ? box.x : box.x + box.w, y: y + offset };
  return { x: x + offset, y: side === 'near' ? box.y : box.y + box.h };
}

const between = (a: Point, b: Point, x: number, y: number): Point => ({
  x: a.x + (b.x - a.x) * x,
  y: a.y + (b.y - a.y) * y,
});

/** Where the bend of a way from top to bottom is after three quarters of it (t = 0.75 of the cubic in `bend`). */
const NEAR = { x: 0.84, y: 0.7 };

export interface LanePath {
  readonly d: string;
  /**
   * In the middle between who sends and the address, and between the bridge and the DomU; on a phone nearer to that,
   * where two lanes are far enough from each other for words beside each other.
   */
  readonly first: Point;
  readonly last: Point;
}

/** The whole way of one lane: from who sends it, through the address and the bridge, to a DomU. */
export function lanePath(layout: WayLayout, lane: Lane, to: 'primary' | 'secondary'): LanePath {
  const { across, address, bridge } = layout;
  const offset = LANE[lane];
  const from = edge(
    layout[lane === 'testers' ? 'testers' : 'customers'],
    'far',
    across,
    lane === 'draining' ? 18 : 0,
  );
  const [into, outOf] = [edge(address, 'near', across, offset), edge(bridge, 'far', across, offset)];
  const end = edge(layout[to], 'near', across, offset / 3);
  const through = `L${outOf.x} ${outOf.y}`;
  return {
    d: `M${from.x} ${from.y}${bend(from, into, across)}${through}${bend(outOf, end, across)}`,
    first: { x: (from.x + into.x) / 2, y: (from.y + into.y) / 2 },
    last: across ? between(outOf, end, 0.5, 0.5) : between(outOf, end, NEAR.x, NEAR.y),
  };
}
