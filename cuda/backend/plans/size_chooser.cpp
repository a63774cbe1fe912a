#include "cuda/backend/plans/size_chooser.hpp"

#include <cmath>
#include <cstring>
#include <string>

#include <nlohmann/json.hpp>

namespace lossmap::cuda {
namespace {

/// By so much another size has to be faster than the favourite: measurements differ by as much.
constexpr double kGain = 0.97;

/// Jobs of a network whose measurements are kept for others.
constexpr int kMostJobs = 8;

std::string rates_key(const std::string& network, int job) { return network + "\nrates " + std::to_string(job); }

std::vector<std::byte> encoded(const MeasuredSizes& sizes) {
    nlohmann::ordered_json json{
        {"points", sizes.chosen.points}, {"samples", sizes.chosen.samples}, {"elsewhere", sizes.elsewhere}};
    for (const TriedSize& tried : sizes.tried)
        json["tried"].push_back({tried.size.points, tried.size.samples, tried.seconds});
    const std::string text = json.dump();
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

std::optional<MeasuredSizes> decoded(std::span<const std::byte> bytes) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto json = nlohmann::json::parse(text, nullptr, false);
    try {
        MeasuredSizes sizes;
        sizes.chosen = {json.at("points").get<std::int64_t>(), json.at("samples").get<std::int64_t>()};
        sizes.elsewhere = json.at("elsewhere").get<bool>();
        for (const auto& one : json.at("tried"))
            sizes.tried.push_back({{one.at(0), one.at(1)}, one.at(2)});
        if (sizes.chosen.points < 1 || sizes.chosen.samples < 1) return {};
        return sizes;
    } catch (const nlohmann::json::exception&) {
        return {};
    }
}

}  // namespace

std::optional<MeasuredSizes> SizeChooser::look_up(const std::string& key, const Fits& fits) {
    if (const auto made = made_.find(key); made != made_.end()) {
        if (!fits(made->second.chosen)) return {};
        return made->second;
    }
    const auto bytes = store_.find(key);
    auto kept = bytes ? decoded(*bytes) : std::nullopt;
    if (!kept || !fits(kept->chosen)) return {};
    made_.emplace(key, *kept);
    return kept;
}

std::optional<MeasuredSizes> SizeChooser::find(const std::string& key, const Fits& fits) {
    const std::lock_guard lock(mutex_);
    return look_up(key, fits);
}

std::optional<MeasuredSizes> SizeChooser::measure(const std::string& key, std::span<const PassSize> candidates,
                                                  const Fits& fits, const Measure& seconds_of) {
    const std::lock_guard lock(mutex_);
    if (auto found = look_up(key, fits)) return found;
    MeasuredSizes sizes;
    double least = 0.0;
    for (const PassSize& candidate : candidates) {
        const std::optional<double> seconds = seconds_of(candidate);
        if (!seconds || !std::isfinite(*seconds)) continue;
        if (sizes.tried.empty() || *seconds < kGain * least) {
            sizes.chosen = candidate;
            least = *seconds;
        }
        sizes.tried.push_back({candidate, *seconds});
    }
    if (sizes.tried.empty()) return {};
    return keep_locked(key, sizes, fits);
}

MeasuredSizes SizeChooser::keep(const std::string& key, const MeasuredSizes& sizes, const Fits& fits) {
    const std::lock_guard lock(mutex_);
    return keep_locked(key, sizes, fits);
}

MeasuredSizes SizeChooser::keep_locked(const std::string& key, MeasuredSizes sizes, const Fits& fits) {
    // Another process may have been first: it may have measured otherwise, and runs on one machine are to agree.
    const auto standing = decoded(store_.keep(key, encoded(sizes)));
    if (standing && fits(standing->chosen)) sizes = *standing;
    made_.insert_or_assign(key, sizes);
    return sizes;
}

std::vector<TriedSize> SizeChooser::rates(const std::string& network) {
    const std::lock_guard lock(mutex_);
    std::vector<TriedSize> rates;
    for (int job = 0; job < kMostJobs; ++job) {
        const auto bytes = store_.find(rates_key(network, job));
        const auto kept = bytes ? decoded(*bytes) : std::nullopt;
        if (kept) rates.insert(rates.end(), kept->tried.begin(), kept->tried.end());
    }
    return rates;
}

void SizeChooser::add_rates(const std::string& network, std::span<const TriedSize> rates) {
    if (rates.empty()) return;
    const std::lock_guard lock(mutex_);
    const MeasuredSizes sizes{rates.front().size, {rates.begin(), rates.end()}, true};
    for (int job = 0; job < kMostJobs; ++job) {
        const std::string key = rates_key(network, job);
        if (store_.find(key)) continue;
        static_cast<void>(store_.keep(key, encoded(sizes)));
        return;
    }
}

}  // namespace lossmap::cuda
