"""What benchmarks against other programs share: lossmap as a process that measures on demand, turns, and medians."""
import json
import statistics
import subprocess
import sys
import time


class Lossmap:
    """The benchmark program, measuring once for each line it is sent."""

    def __init__(self, binary, model, threads, seconds, samples, options=()):
        command = [binary, model, "--serve", "--threads", str(threads), "--seconds", str(seconds), "--samples", str(samples)]
        command += options
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("cpu_throughput ended early")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measured_rate(run, batch, seconds, clock=time.perf_counter):
    """Images a second of `clock`: calls of run() with `batch` images each for so many seconds, one at least."""
    start, clock_start = time.perf_counter(), clock()
    count = 0
    while count == 0 or time.perf_counter() - start < seconds:
        run()
        count += batch
    return count / (clock() - clock_start)


def best_batch(measure, batches, seconds, rounds):
    """The batch with the highest median rate; every round tries all of them. `measure` takes a batch and seconds."""
    rates = {batch: [] for batch in batches}
    for batch in batches:
        measure(batch, 0.0)
    for _ in range(rounds):
        for batch in batches:
            rates[batch].append(measure(batch, seconds))
    return max(batches, key=lambda batch: statistics.median(rates[batch]))


def alternate(measures, rounds):
    """What each of `measures` (by name) returns, a dictionary a round. The order turns: none always runs on the machine that
    another one warmed up."""
    names = list(measures)
    for _ in range(rounds):
        yield {name: measures[name]() for name in names}
        names.append(names.pop(0))


def quartiles(values):
    """The median, and [first, third] quartile."""
    quarters = statistics.quantiles(values, n=4) if len(values) > 1 else list(values) * 3
    return statistics.median(values), [quarters[0], quarters[2]]
