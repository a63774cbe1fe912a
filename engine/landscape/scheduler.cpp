#include "landscape/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <map>
#include <numeric>
#include <span>

#include "core/error.hpp"
#include "data/input_bytes.hpp"

namespace lossmap {
namespace {

/// Bytes of one sample in a chunk: inputs and target.
std::int64_t sample_bytes(const Dataset& data) { return data.target().sample_bytes() + input_bytes(data.inputs()); }

/// A split on its way: what is added up, and what the journal still has to give.
struct SplitState {
    std::string name;
    const Dataset* data = nullptr;
    SplitSurface* result = nullptr;
    std::int64_t samples = 0;
    std::int64_t chunks = 0;
    std::vector<LossSums> totals;        ///< a point: sum of chunks 0.. so far, in chunk order
    std::vector<JournalEntry> recorded;  ///< ordered by point, chunk
    std::vector<std::size_t> cursor;  ///< a point: next entry of `recorded` (points + 1 entries: the last one ends it)
    std::vector<std::size_t> end;
    std::vector<std::int64_t> missing;  ///< a chunk: points of the round that it has to be evaluated for
    std::vector<std::uint8_t> settled;  ///< a point: done before the run or in an earlier round

    [[nodiscard]] std::int64_t chunk_count(std::int64_t chunk, std::int64_t chunk_samples) const {
        return std::min(chunk_samples, samples - chunk * chunk_samples);
    }
};

/// Reads chunks: keeps all of them when they fit, else only the current one and the one being read ahead.
class ChunkStore {
public:
    ChunkStore(std::int64_t chunk_samples, bool keep) : chunk_samples_(chunk_samples), keep_(keep) {}

    const SampleChunk& get(const SplitState& split, std::int64_t chunk) {
        const Key key{split.data, chunk};
        if (const auto kept = chunks_.find(key); kept != chunks_.end()) return kept->second;
        if (!keep_) chunks_.clear();
        SampleChunk samples = ahead_key_ == key && ahead_.valid() ? ahead_.get() : read(split, chunk);
        return chunks_.insert_or_assign(key, std::move(samples)).first->second;
    }

    [[nodiscard]] bool has(const SplitState& split, std::int64_t chunk) const {
        return chunks_.contains({split.data, chunk});
    }

    /// Starts to read a chunk on a thread of its own (Dataset::read is thread-safe).
    void read_ahead(const SplitState& split, std::int64_t chunk) {
        ahead_key_ = {split.data, chunk};
        ahead_ = std::async(std::launch::async, [this, &split, chunk] { return read(split, chunk); });
    }

private:
    using Key = std::pair<const Dataset*, std::int64_t>;

    [[nodiscard]] SampleChunk read(const SplitState& split, std::int64_t chunk) const {
        return split.data->read(chunk * chunk_samples_, split.chunk_count(chunk, chunk_samples_));
    }

    std::int64_t chunk_samples_;
    bool keep_;
    std::map<Key, SampleChunk> chunks_;
    Key ahead_key_{nullptr, 0};
    std::future<SampleChunk> ahead_;
};

class Run {
public:
    Run(Executable& executable, const std::vector<Point>& points, const std::vector<SchedulerSplit>& splits,
        Journal* journal, const SchedulerOptions& options, Surface& surface)
        : executable_(executable), points_(points), journal_(journal), options_(options), surface_(surface) {
        if (options.chunk_samples < 1 || options.points_per_block < 1) {
            throw InternalError("chunks of {} samples in blocks of {} points", options.chunk_samples,
                                options.points_per_block);
        }
        if (points.size() != surface.point_count()) {
            throw InternalError("{} points for a surface of {}", points.size(), surface.point_count());
        }
        for (const SchedulerSplit& split : splits)
            add_split(split);
        take_over_journal();
        for (SplitState& split : splits_)
            count_units(split);
    }

    void execute() {
        report();
        ChunkStore store(options_.chunk_samples, fits_cache());
        if (options_.shard) show_recorded();  // whoever saves the surface on the way loses none of the other shares
        if (!options_.next_points) {
            compute(all_points(), store);
            return;
        }
        for (auto round = options_.next_points(surface_); !round.empty(); round = options_.next_points(surface_))
            compute(round, store);
        show_recorded();
        progress_.total_units = progress_.finished_units;
        progress_.total_evaluations = progress_.finished_evaluations;
        report();
    }

private:
    using Block = std::span<const std::size_t>;

    [[nodiscard]] std::vector<std::size_t> all_points() const {
        std::vector<std::size_t> all(points_.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        return all;
    }

    [[nodiscard]] bool is_own(std::size_t point) const { return !options_.shard || options_.shard->has(point); }

    void compute(std::vector<std::size_t> round, ChunkStore& store) {
        std::erase_if(round, [this](std::size_t point) { return !is_own(point); });
        for (SplitState& split : splits_)
            count_missing(split, round);
        if (fits_cache()) {
            points_outside(store, round);
        } else {
            chunks_outside(store, round);
        }
    }

    /// Points that earlier runs finished, whether this one names them or not.
    void show_recorded() {
        for (const std::size_t point : all_points()) {
            if (is_recorded(point)) add_recorded(point);
        }
    }

    void add_split(const SchedulerSplit& split) {
        SplitState state;
        state.name = split.name;
        state.data = split.data;
        state.samples = split.data->size();
        if (state.samples < 1) throw InputError("split '{}' has no samples", split.name);
        for (SplitSurface& candidate : surface_.splits) {
            if (candidate.name == split.name) state.result = &candidate;
        }
        if (state.result == nullptr) throw InternalError("the surface has no split '{}'", split.name);
        state.chunks = (state.samples - 1) / options_.chunk_samples + 1;
        state.totals.resize(points_.size());
        state.settled = state.result->done;
        splits_.push_back(std::move(state));
    }

    void take_over_journal() {
        if (journal_ != nullptr && !options_.known.empty())
            throw InternalError("units of a journal and others, in two orders");
        std::vector<JournalEntry> entries = journal_ != nullptr ? journal_->entries() : options_.known;
        for (JournalEntry& entry : entries) {
            const auto split = std::find_if(splits_.begin(), splits_.end(),
                                            [&](const SplitState& state) { return state.name == entry.split; });
            const bool inside = split != splits_.end() && entry.point >= 0 && entry.chunk >= 0 &&
                                entry.point < static_cast<std::int64_t>(points_.size()) && entry.chunk < split->chunks;
            if (!inside) {
                throw InputError(
                    "the journal holds point {}, chunk {} of split '{}', which this run does not have: start over with "
                    "--fresh",
                    entry.point, entry.chunk, entry.split);
            }
            split->recorded.push_back(std::move(entry));
        }
    }

    /// Finds each point's entries and the totals of the work.
    void count_units(SplitState& split) {
        split.cursor.resize(points_.size());
        split.end.resize(points_.size());
        std::size_t entry = 0;
        for (std::size_t point = 0; point < points_.size(); ++point) {
            split.cursor[point] = entry;
            std::int64_t samples = split.samples;
            for (; entry < split.recorded.size() && split.recorded[entry].point == static_cast<std::int64_t>(point);
                 ++entry) {
                samples -= split.chunk_count(split.recorded[entry].chunk, options_.chunk_samples);
            }
            split.end[point] = entry;
            if (split.settled[point] != 0 || !is_own(point)) continue;
            progress_.total_units += split.chunks;
            progress_.resumed_units += static_cast<std::int64_t>(entry - split.cursor[point]);
            progress_.total_evaluations += samples;
        }
        progress_.finished_units = progress_.resumed_units;
    }

    /// Counts what every chunk lacks in a round.
    void count_missing(SplitState& split, const std::vector<std::size_t>& round) const {
        split.missing.assign(static_cast<std::size_t>(split.chunks), 0);
        for (const std::size_t point : round) {
            if (split.settled[point] != 0) continue;
            for (std::int64_t& missing : split.missing)
                ++missing;
            for (std::size_t entry = split.cursor[point]; entry < split.end[point]; ++entry)
                --split.missing[static_cast<std::size_t>(split.recorded[entry].chunk)];
        }
    }

    [[nodiscard]] bool fits_cache() const {
        double bytes = 0.0;  // as a double: no overflow, and no need for the last byte
        for (const SplitState& split : splits_) {
            bytes += static_cast<double>(split.samples) * static_cast<double>(sample_bytes(*split.data));
        }
        return bytes <= static_cast<double>(options_.cache_bytes);
    }

    /// A block of points is finished for all chunks of all splits before the next one: results appear early.
    void points_outside(ChunkStore& store, const std::vector<std::size_t>& round) {
        const auto block_size = static_cast<std::size_t>(options_.points_per_block);
        std::vector<std::size_t> block;
        for (std::size_t k = 0; k < round.size(); ++k) {
            if (is_recorded(round[k])) {
                add_recorded(round[k]);
            } else {
                block.push_back(round[k]);
            }
            if (block.size() < block_size && k + 1 < round.size() && same_group(round[k], round[k + 1])) continue;
            for (SplitState& split : splits_) {
                for (std::int64_t chunk = 0; chunk < split.chunks; ++chunk) {
                    const std::vector<std::size_t> missing = add_recorded(split, chunk, block);
                    if (missing.empty()) continue;
                    evaluate(split, chunk, missing, [&] {
                        const SampleChunk& samples = store.get(split, chunk);
                        if (chunk + 1 < split.chunks && !store.has(split, chunk + 1)) read_next(store, split, chunk);
                        return &samples;
                    });
                }
            }
            if (!block.empty()) show_surface();
            block.clear();
        }
    }

    /// Each chunk is read once and meets all points before the next one: data larger than memory.
    void chunks_outside(ChunkStore& store, const std::vector<std::size_t>& round) {
        for (SplitState& split : splits_) {
            for (std::int64_t chunk = 0; chunk < split.chunks; ++chunk) {
                const std::vector<std::size_t> missing = add_recorded(split, chunk, round);
                if (missing.empty()) continue;
                const SampleChunk* samples = nullptr;
                const auto load = [&] {
                    if (samples == nullptr) {
                        samples = &store.get(split, chunk);
                        read_next(store, split, chunk);
                    }
                    return samples;
                };
                for (std::size_t first = 0, size = 0; first < missing.size(); first += size) {
                    size = block_length(missing, first);
                    evaluate(split, chunk, Block(missing).subspan(first, size), load);
                    show_surface();
                }
            }
        }
    }

    [[nodiscard]] bool same_group(std::size_t a, std::size_t b) const {
        const auto group = static_cast<std::size_t>(options_.points_per_group);
        return group == 0 || a / group == b / group;
    }

    /// Points from `first` on that make a block.
    [[nodiscard]] std::size_t block_length(Block points, std::size_t first) const {
        std::size_t end = first + 1;
        while (end < points.size() && end - first < static_cast<std::size_t>(options_.points_per_block) &&
               same_group(points[first], points[end]))
            ++end;
        return end - first;
    }

    /// Reads the next chunk that some point lacks while this one is worked on.
    void read_next(ChunkStore& store, const SplitState& split, std::int64_t chunk) {
        for (std::int64_t next = chunk + 1; next < split.chunks; ++next) {
            if (split.missing[static_cast<std::size_t>(next)] == 0) continue;
            store.read_ahead(split, next);
            return;
        }
    }

    [[nodiscard]] bool is_recorded(std::size_t point) const {
        return std::all_of(splits_.begin(), splits_.end(), [&](const SplitState& split) {
            return split.settled[point] != 0 ||
                   static_cast<std::int64_t>(split.end[point] - split.cursor[point]) == split.chunks;
        });
    }

    void add_recorded(std::size_t point) {
        for (SplitState& split : splits_) {
            for (std::int64_t chunk = 0; chunk < split.chunks; ++chunk)
                add_recorded(split, chunk, Block(&point, 1));
        }
    }

    /// Adds what the journal has of this chunk and returns the points of the block that it lacks. Chunks come in
    /// ascending order for every point, so that resumed and fresh sums are added in the same order.
    std::vector<std::size_t> add_recorded(SplitState& split, std::int64_t chunk, Block block) {
        std::vector<std::size_t> missing;
        for (const std::size_t point : block) {
            if (split.settled[point] != 0) continue;
            std::size_t& cursor = split.cursor[point];
            if (cursor < split.end[point] && split.recorded[cursor].chunk == chunk) {
                add(split, chunk, point, split.recorded[cursor].sums);
                ++cursor;
            } else {
                missing.push_back(point);
            }
        }
        return missing;
    }

    void add(SplitState& split, std::int64_t chunk, std::size_t point, const LossSums& sums) {
        split.totals[point] += sums;
        if (chunk + 1 < split.chunks) return;
        set_result(*split.result, point, split.totals[point]);
        split.settled[point] = 1;
        if (!std::isfinite(split.result->loss[point])) ++progress_.non_finite_points;
    }

    /// Evaluates a block of points on a chunk, makes it durable, then counts it.
    template <typename Load>
    void evaluate(SplitState& split, std::int64_t chunk, Block block, const Load& load) {
        if (options_.stop != nullptr && options_.stop->load()) {
            throw Interrupted("interrupted after {} of {} units; run the same command again to go on",
                              progress_.finished_units, progress_.total_units);
        }
        std::vector<Point> points;
        for (const std::size_t point : block)
            points.push_back(points_[point]);
        std::vector<LossSums> sums(block.size());
        executable_.evaluate(points, *load(), sums);
        record(split, chunk, block, sums);
        for (std::size_t i = 0; i < block.size(); ++i)
            add(split, chunk, block[i], sums[i]);
        progress_.finished_units += static_cast<std::int64_t>(block.size());
        progress_.finished_evaluations +=
            static_cast<std::int64_t>(block.size()) * split.chunk_count(chunk, options_.chunk_samples);
        report();
    }

    void record(const SplitState& split, std::int64_t chunk, Block block, const std::vector<LossSums>& sums) {
        if (journal_ == nullptr) return;
        std::vector<JournalEntry> entries;
        for (std::size_t i = 0; i < block.size(); ++i) {
            entries.push_back({split.name, static_cast<std::int64_t>(block[i]), chunk, sums[i]});
        }
        journal_->append(entries);
    }

    void report() {
        if (!options_.on_progress) return;
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
        progress_.elapsed_seconds = elapsed.count();
        options_.on_progress(progress_);
    }

    void show_surface() const {
        if (options_.on_block) options_.on_block(surface_);
    }

    Executable& executable_;
    const std::vector<Point>& points_;
    Journal* journal_;
    const SchedulerOptions& options_;
    Surface& surface_;
    std::vector<SplitState> splits_;
    RunProgress progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

void run_schedule(Executable& executable, const std::vector<Point>& points, const std::vector<SchedulerSplit>& splits,
                  Journal* journal, const SchedulerOptions& options, Surface& surface) {
    Run(executable, points, splits, journal, options, surface).execute();
}

}  // namespace lossmap
