#include "cli/merge/merge_runs.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/merge/joined_units.hpp"
#include "cli/merge/merged_record.hpp"
#include "cli/run/run_directory.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::message_of;
using test::TemporaryDirectory;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

JournalEntry unit(std::int64_t point, double loss, const std::string& split = "train") {
    JournalEntry entry{split, point, 0, {}};
    entry.sums.loss_sum = loss;
    return entry;
}

StoredShare share(const std::string& folder, std::vector<JournalEntry> units) {
    StoredShare stored;
    stored.folder = folder;
    stored.units = std::move(units);
    return stored;
}

std::vector<std::int64_t> points_of(const std::vector<JournalEntry>& units) {
    std::vector<std::int64_t> points;
    for (const JournalEntry& entry : units)
        points.push_back(entry.point);
    return points;
}

TEST(JoinedUnits, AreInOrderAndEachOnce) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<StoredShare> shares = {share("a", {unit(1, 1.0, "test"), unit(0, nan), unit(2, 2.0)}),
                                             share("b", {unit(0, nan), unit(1, 3.0), unit(5, 4.0)})};
    const JoinedUnits joined = join_units(shares, nullptr);
    EXPECT_THAT(points_of(joined.all), testing::ElementsAre(1, 0, 1, 2, 5));
    EXPECT_EQ(joined.all.front().split, "test");
    EXPECT_EQ(joined.missing.size(), joined.all.size());
    EXPECT_THAT(points_of(join_units(shares, &shares[1]).missing), testing::ElementsAre(1, 2));
    EXPECT_THAT(points_of(join_units(shares, &shares[0]).missing), testing::ElementsAre(1, 5));
}

TEST(JoinedUnits, OtherBitsAreAnErrorThatNamesPointAndFolders) {
    const auto join = [](double a, double b) {
        static_cast<void>(join_units({share("runs/a", {unit(7, a)}), share("runs/b", {unit(7, b)})}, nullptr));
    };
    const std::string message = message_of([&] { join(1.0, std::nextafter(1.0, 2.0)); });
    for (const char* part : {"point 7 (chunk 0 of split 'train')", "'runs/a'", "'runs/b'"})
        EXPECT_THAT(message, HasSubstr(part));
    EXPECT_THAT(message_of([&] { join(0.0, -0.0); }), HasSubstr("point 7"));
    EXPECT_NO_THROW(join(1.5, 1.5));
}

StoredShare recorded(const std::string& folder, const Json& provenance) {
    StoredShare stored = share(folder, {});
    stored.resolved = {{"name", "plane"}, {"provenance", provenance}};
    return stored;
}

TEST(MergedRecord, NamesEachDeviceOnceAndEveryFolder) {
    const Json record = merged_record({share("/without", {}), recorded("/a", {{"shard", "1/3"}, {"device", "slow"}}),
                                       recorded("/b", {{"shard", "2/3"}, {"device", "fast"}}),
                                       recorded("/c", {{"shard", "3/3"}, {"device", "slow"}})});
    EXPECT_EQ(record["provenance"]["device"], "slow; fast");
    EXPECT_FALSE(record["provenance"].contains("shard"));
    EXPECT_EQ(record["provenance"]["merged"], Json::parse(R"([{"run": "/a", "shard": "1/3", "device": "slow"},
                              {"run": "/b", "shard": "2/3", "device": "fast"},
                              {"run": "/c", "shard": "3/3", "device": "slow"}])"));
    EXPECT_EQ(shards_in(record).size(), 3u);
}

TEST(MergedRecord, KeepsWhatWasMergedBefore) {
    const Json before = merged_record({recorded("/a", {{"shard", "1/2"}, {"device", "slow"}})});
    StoredShare merged = share("/out", {});
    merged.resolved = before;
    const Json record = merged_record({merged, recorded("/b", {{"shard", "2/2"}, {"device", "slow"}}),
                                       recorded("/a", {{"shard", "1/2"}, {"device", "new"}})});
    EXPECT_EQ(record["provenance"]["merged"].size(), 2u);
    EXPECT_EQ(record["provenance"]["merged"][0]["device"], "new");
    EXPECT_EQ(record["provenance"]["device"], "new; slow");
}

TEST(MergedRecord, SharesOfDifferentNumbersTellNothing) {
    EXPECT_TRUE(
        shards_in(merged_record({recorded("/a", {{"shard", "1/3"}}), recorded("/b", {{"shard", "1/2"}})})).empty());
    EXPECT_TRUE(shards_in(merged_record({recorded("/a", {{"shard", "1/3"}}), recorded("/b", Json::object())})).empty());
}

TEST(MergedRecord, WhatIsNoListIsRefused) {
    for (const char* merged : {"3", "[1]", "[{}]", R"([{"run": 2}])"}) {
        EXPECT_THAT(message_of([&] {
                        static_cast<void>(merged_record({recorded("/a", {{"merged", Json::parse(merged)}})}));
                    }),
                    HasSubstr("/provenance/merged is no list of runs"))
            << merged;
    }
}

/// A folder with a journal and the given configuration; as damaged or hostile as a test wants it.
class StoredShares : public testing::Test {
protected:
    StoredShares() {
        Config grid;
        grid.x = GridAxis{-1.0, 2.0, 4};
        grid.splits = {"train"};
        identity_.set("grid", hash_grid(grid));
        identity_.set("chunking", hash_text("10"));
        resolved_ = {{"name", "plane"},
                     {"experiment", "surface"},
                     {"data", {{"chunk", 10}}},
                     {"splits", {"train"}},
                     {"x", {{"min", -1.0}, {"max", 2.0}, {"points", 4}}},
                     {"provenance", {{"identity", identity_.whole()}, {"data", {{"train", {{"samples", 25}}}}}}}};
    }

    StoredShare read() {
        const RunDirectory directory(folder_ / "run");
        static_cast<void>(directory.open(identity_, false));
        write_file_atomically(directory / "config.resolved.json", resolved_.dump());
        return read_share(folder_ / "run");
    }

    std::string refusal() {
        return message_of([&] { static_cast<void>(shape_of(read())); });
    }

    TemporaryDirectory folder_;
    Identity identity_;
    Json resolved_;
};

TEST_F(StoredShares, TellTheirShape) {
    const RecordedShape shape = shape_of(read());
    EXPECT_EQ(shape.name, "plane");
    EXPECT_EQ(shape.experiment, Experiment::surface);
    EXPECT_THAT(shape.splits, testing::ElementsAre("train"));
    EXPECT_THAT(shape.chunks, testing::ElementsAre(3));
    EXPECT_THAT(shape.x, testing::ElementsAre(-1.0, 0.0, 1.0, 2.0));
    EXPECT_TRUE(shape.y.empty());
}

TEST_F(StoredShares, RefuseConfigurationsThatDoNotFit) {
    const std::pair<std::pair<const char*, Json>, const char*> cases[] = {
        {{"/experiment", "evaluate"}, "experiment 'evaluate' has no points"},
        {{"/experiment", 3}, "not as lossmap writes it"},
        {{"/data/chunk", 11}, "data.chunk is not that of the journal"},
        {{"/data/chunk", 0}, "0 is no number of samples"},
        {{"/data", Json::array()}, "not as lossmap writes it"},
        {{"/splits", {"test"}}, "its grid or splits are not those of the journal"},
        {{"/splits", "train"}, "not as lossmap writes it"},
        {{"/experiment", "repeat"}, "its grid or splits are not those of the journal"},
        {{"/x/max", 2.5}, "its grid or splits are not those of the journal"},
        {{"/x/max", "auto"}, "not as lossmap writes it"},
        {{"/x/points", 100'001}, "an axis has 1 to 100000 points, not 100001"},
        {{"/y", {{"min", 0}, {"max", 0}, {"points", 1}}}, "its grid or splits are not those of the journal"},
        {{"/provenance/data", {{"test", {}}}}, "not as lossmap writes it"},
        {{"/provenance/data/train/samples", -1}, "-1 is no number of samples"},
        {{"/provenance/identity", "other"}, "does not belong to the journal"},
        {{"/provenance", nullptr}, "does not belong to the journal"},
        {{"/refine", Json::object()}, "a refined grid"}};
    for (const auto& [change, message] : cases) {
        const Json before = resolved_;
        resolved_[Json::json_pointer(change.first)] = change.second;
        EXPECT_THAT(refusal(), HasSubstr(message)) << change.first;
        resolved_ = before;
    }
    resolved_ = Json::array();
    EXPECT_THAT(refusal(), HasSubstr("does not belong to the journal"));
}

TEST_F(StoredShares, HaveOneShapeTogether) {
    const StoredShare one = read();
    StoredShare other = read();
    other.resolved["name"] = "another name";
    StoredShare bare = read();
    bare.resolved = nullptr;
    EXPECT_EQ(common_shape({bare, one, other}).name, "plane");
    other.resolved["provenance"]["data"]["train"]["samples"] = 31;
    EXPECT_THAT(message_of([&] {
                    static_cast<void>(common_shape({one, other}));
                }),
                HasSubstr("state different experiments, splits or numbers of samples"));
    EXPECT_THAT(message_of([&] { static_cast<void>(common_shape({bare})); }),
                HasSubstr("none of the runs has a config.resolved.json"));
    other.resolved["refine"] = Json::object();
    EXPECT_THAT(message_of([&] { static_cast<void>(common_shape({one, other})); }), HasSubstr("a refined grid"));
}

TEST_F(StoredShares, RefuseAnIdentityThatIsNotThatOfItsParts) {
    static_cast<void>(read());
    {
        Journal journal(folder_ / "run/journal.sqlite", identity_.whole());
        journal.set_note("identity_parts", R"({"chunking": "x"})");
    }
    EXPECT_THAT(message_of([&] { static_cast<void>(read_share(folder_ / "run")); }), HasSubstr("is damaged"));
}

TEST_F(StoredShares, InUseAreRefused) {
    static_cast<void>(read());
    const Journal journal(folder_ / "run/journal.sqlite", identity_.whole());
    RunLog log("off");
    EXPECT_THAT(message_of([&] { merge_runs({folder_ / "run"}, folder_ / "out", log); }),
                HasSubstr("wait for that run"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(StoredShares, WithoutASurfaceAreRefusedBeforeAnythingIsWritten) {
    static_cast<void>(read());
    RunLog log("off");
    EXPECT_THAT(message_of([&] { merge_runs({folder_ / "run"}, folder_ / "out", log); }),
                HasSubstr("none of the runs has a surface.h5"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

}  // namespace
}  // namespace lossmap
