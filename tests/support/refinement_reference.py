"""The rule of docs/decisions on refinement written a second time, with numpy and Lagrange weights instead of Newton's form.

A test compares the points that the program computed, what it interpolated and its error estimates with this.
"""

import numpy as np

REACH = 2  # a surprise is followed this many nodes of its level far


def axis_levels(points, initial):
    count = min(points, initial)
    nodes = [int(np.floor(k * (points - 1) / (count - 1) + 0.5)) if count > 1 else 0 for k in range(count)]
    levels = [nodes]
    while len(nodes) < points:
        middles = [(a + b) // 2 for a, b in zip(nodes, nodes[1:]) if b - a > 1]
        nodes = sorted(nodes + middles)
        levels.append(nodes)
    return levels


def lagrange(nodes, place):
    return np.array([np.prod([(place - b) / (a - b) for b in nodes if b != a]) for a in nodes])


def leading(nodes, values):
    """Highest divided difference."""
    return sum(v / np.prod([float(a - b) for b in nodes if b != a]) for a, v in zip(nodes, values))


def predict(nodes, place, values, errors):
    """Value and error estimate at `place` from the values at all `nodes` of a line."""
    count, cell = len(nodes), max(k for k, node in enumerate(nodes) if node < place)
    size = min(4, count)
    first = min(max(cell - 1, 0), count - size)
    stencil = slice(first, first + size)
    weights = lagrange(nodes[stencil], place)
    value = float(weights @ values[stencil])
    if count < 4:
        return value, np.inf
    starts = [s for s in (first - 1, first, first + 1) if 0 <= s <= count - 4]
    bend = max(abs(leading(nodes[s:s + 4], values[s:s + 4])) for s in starts)
    a, b, c, d = (place - node for node in nodes[stencil])
    return value, bend * max(abs(a * b * c), abs(b * c * d)) + float(np.abs(weights) @ errors[stencil])


class Refinement:
    """`values`: [splits, ny, nx], the whole grid, of which only `known` points are looked at."""

    def __init__(self, values, initial, tolerance):
        self.values, self.tolerance = np.asarray(values, float), tolerance
        _, ny, nx = self.values.shape
        self.x, self.y = axis_levels(nx, initial), axis_levels(ny, initial)
        self.last = max(len(self.x), len(self.y)) - 1
        self.x += [self.x[-1]] * (self.last + 1 - len(self.x))
        self.y += [self.y[-1]] * (self.last + 1 - len(self.y))
        self.known = np.zeros((ny, nx), bool)
        coarse = np.ix_(self.y[0], self.x[0])
        self.known[coarse] = True
        self.floor = []
        for split in self.values:
            finite = np.abs(split[coarse][np.isfinite(split[coarse])])
            self.floor.append(0.01 * np.sort(finite)[(len(finite) - 1) // 2] if len(finite) else 0.0)

    def fill(self, split, top):
        """Values, error estimates and predictions up to level `top`."""
        value = np.where(self.known, self.values[split], np.nan)
        error = np.where(self.known, 0.0, np.inf)
        predicted = np.full(value.shape, np.nan)

        def put(y, x, results):
            guess = sum(r[0] for r in results) / len(results)
            estimate = max([r[1] for r in results] + [abs(results[0][0] - results[-1][0])])
            predicted[y, x] = guess
            if not self.known[y, x]:
                value[y, x] = guess
                error[y, x] = estimate if np.isfinite(guess) and np.isfinite(estimate) else np.inf

        for level in range(1, top + 1):
            old_x, old_y = self.x[level - 1], self.y[level - 1]
            new_x = [x for x in self.x[level] if x not in old_x]
            new_y = [y for y in self.y[level] if y not in old_y]

            def along_x(y, x):
                return predict(old_x, x, value[y, old_x], error[y, old_x])

            def along_y(y, x):
                return predict(old_y, y, value[old_y, x], error[old_y, x])

            for y in old_y:
                for x in new_x:
                    put(y, x, [along_x(y, x)])
            for y in new_y:
                for x in old_x:
                    put(y, x, [along_y(y, x)])
            for y in new_y:
                for x in new_x:
                    put(y, x, [along_x(y, x), along_y(y, x)])
        return value, error, predicted

    def wanted(self, level):
        wanted = np.zeros(self.known.shape, bool)
        ys, xs = self.y[level], self.x[level]
        if self.tolerance == 0:
            wanted[np.ix_(ys, xs)] = True
            return wanted & ~self.known
        for split in range(len(self.values)):
            value, error, predicted = self.fill(split, level)
            allowed = self.tolerance * np.maximum(np.abs(value), self.floor[split])
            for row, y in enumerate(ys):
                for column, x in enumerate(xs):
                    if not self.known[y, x]:
                        wanted[y, x] |= not error[y, x] <= allowed[y, x]
                    elif y not in self.y[0] or x not in self.x[0]:
                        if abs(value[y, x] - predicted[y, x]) <= allowed[y, x]:
                            continue
                        near_y = ys[max(0, row - REACH):row + REACH + 1]
                        near_x = xs[max(0, column - REACH):column + REACH + 1]
                        wanted[np.ix_(near_y, near_x)] = True
        return wanted & ~self.known

    def run(self):
        """Sets of points computed one after the other; the first one is the coarse grid."""
        rounds = [self.known.copy()]
        for level in range(1, self.last + 1):
            while (wanted := self.wanted(level)).any():
                self.known |= wanted
                rounds.append(wanted)
        return rounds
