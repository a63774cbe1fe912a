#include "cli/merge/merged_record.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// A text of a JSON object; "" when it has none.
std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json origin_of(const StoredShare& share) {
    const Json& provenance = share.resolved.at("provenance");
    Json origin{{"run", fs::absolute(share.folder).lexically_normal().string()}};
    for (const char* key : {"shard", "program", "backend", "device"}) {
        if (provenance.contains(key)) origin[key] = text_of(provenance, key);
    }
    return origin;
}

/// Folders that units came from: the share's own, or those that were merged into it.
Json origins_of(const StoredShare& share) {
    const Json& provenance = share.resolved.at("provenance");
    const auto merged = provenance.find("merged");
    if (merged == provenance.end()) return Json::array({origin_of(share)});
    const bool sound = merged->is_array() && std::all_of(merged->begin(), merged->end(), [](const Json& origin) {
                           return origin.is_object() && !text_of(origin, "run").empty();
                       });
    if (!sound) {
        throw InputError("{}: /provenance/merged is no list of runs", (share.folder / "config.resolved.json").string());
    }
    return *merged;
}

void put_origin(Json& origins, const Json& origin) {
    const auto same = std::find_if(origins.begin(), origins.end(),
                                   [&](const Json& one) { return text_of(one, "run") == text_of(origin, "run"); });
    if (same == origins.end())
        origins.push_back(origin);
    else
        *same = origin;
}

/// Each device once, as those that one run uses together are written.
std::string devices_of(const Json& origins) {
    std::vector<std::string> devices;
    for (const Json& origin : origins) {
        const std::string device = text_of(origin, "device");
        if (!device.empty() && std::find(devices.begin(), devices.end(), device) == devices.end())
            devices.push_back(device);
    }
    return fmt::format("{}", fmt::join(devices, "; "));
}

}  // namespace

Json merged_record(const std::vector<StoredShare>& shares) {
    Json record;
    Json origins = Json::array();
    for (const StoredShare& share : shares) {
        if (share.resolved.is_null()) continue;
        if (record.is_null()) record = share.resolved;
        for (const Json& origin : origins_of(share))
            put_origin(origins, origin);
    }
    Json& provenance = record["provenance"];
    provenance.erase("shard");
    provenance["device"] = devices_of(origins);
    provenance["merged"] = std::move(origins);
    return record;
}

std::vector<Shard> shards_in(const Json& record) {
    std::vector<Shard> shards;
    for (const Json& origin : record.at("provenance").at("merged")) {
        const std::string text = text_of(origin, "shard");
        if (text.empty()) return {};
        shards.push_back(parse_shard(text));
        if (shards.back().count != shards.front().count) return {};
    }
    return shards;
}

}  // namespace lossmap
