#include <gtest/gtest.h>

#include "cli/config/load_config.hpp"
#include "cli/config/resolved_config.hpp"
#include "cli/config/sweep.hpp"
#include "tests/cli/config_support.hpp"

namespace lossmap {
namespace {

using namespace test;

TEST(Config, HoldsWhatTheFileSays) {
    const Config config = load(plane());
    EXPECT_EQ(config.name, "plane");
    EXPECT_EQ(config.experiment, Experiment::surface);
    ASSERT_EQ(config.models.size(), 1u);
    EXPECT_EQ(config.models[0].path.filename(), "net.onnx");
    EXPECT_TRUE(config.models[0].path.is_absolute());  // relative to the configuration's folder
    const DataSpec& train = config.data.splits.at("train");
    EXPECT_EQ(train.files.files.size(), 2u);
    EXPECT_EQ(config.data.splits.at("test").files.files.size(), 1u);
    EXPECT_EQ(train.mean, (std::vector<float>{0.1f, 0.2f, 0.3f}));
    EXPECT_EQ(train.subset->start, 5);
    EXPECT_EQ(train.subset->count, 10);
    EXPECT_FALSE(config.data.splits.at("test").subset.has_value());
    const auto& random = std::get<RandomDirection>(config.directions.entries.at(0));
    EXPECT_EQ(random.seed, 3u);
    EXPECT_EQ(random.normalization, Normalization::layer);
    EXPECT_TRUE(random.ignore.bias && random.ignore.batch_norm);
    EXPECT_FALSE(random.ignore.norm || random.ignore.one_dimensional);
    EXPECT_EQ(config.x->points, 51);
    EXPECT_EQ(config.y->min, -0.5);
    EXPECT_EQ(config.device, "auto");
    EXPECT_EQ(config.precision, Precision::fp32);
}

TEST(Config, FillsInDefaults) {
    const Config config =
        load(Json::parse(R"({"experiment": "surface", "model": {"path": "a.onnx", "parameters": "b.npz"},
        "data": {"format": "synthetic"}, "x": {"min": 0, "max": 0, "points": 1}})"));
    EXPECT_EQ(config.name, "c");
    EXPECT_EQ(config.models[0].checkpoint->filename(), "b.npz");
    EXPECT_EQ(config.splits, std::vector<std::string>{"train"});
    EXPECT_EQ(config.loss.kind, LossKind::cross_entropy);
    const auto& random = std::get<RandomDirection>(config.directions.entries.at(0));
    EXPECT_TRUE(random.ignore.one_dimensional);
    EXPECT_EQ(random.normalization, Normalization::filter);
    EXPECT_FALSE(config.y.has_value());
    EXPECT_NE(config.data.splits.at("train").synthetic_seed, config.data.splits.at("test").synthetic_seed);
}

TEST(Config, OverridesArePutInBeforeAnythingIsChecked) {
    Json broken = plane();
    broken["x"]["points"] = "many";
    const Config config = load(broken, {"/x/points=3", "/model=other.onnx", "/data/subset/test={\"count\": 4}",
                                        "/splits/-=test", "/directions/ignore=[]"});
    EXPECT_EQ(config.x->points, 3);
    EXPECT_EQ(config.models[0].path.filename(), "other.onnx");
    EXPECT_EQ(config.data.splits.at("test").subset->count, 4);
    EXPECT_EQ(config.splits, (std::vector<std::string>{"train", "test"}));
    EXPECT_FALSE(std::get<RandomDirection>(config.directions.entries[0]).ignore.bias);
}

TEST(Config, ResolvedConfigurationReadsBackToTheSame) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "e_2.onnx", "");
    test::write_file(folder / "e_10.onnx", "");
    std::vector<Json> configs{plane(), plane(), plane(), plane()};
    configs[1]["directions"] = Json::parse(R"({"x": {"kind": "difference", "models": ["o.onnx"], "move": "states"},
                                               "y": {"kind": "file", "path": "d.npz", "prefix": "net."}})");
    configs[1]["loss"] = Json::parse(R"({"kind": "mse", "targets": "one_hot", "activation": "softmax"})");
    configs[1]["parameters"] = Json::parse(R"({"include": ["a*"], "exclude": ["b"]})");
    configs[2]["data"] = Json::parse(R"({"format": "npy", "train": {"x": "x.npy", "y": "y.npy"}, "chunk": 7})");
    configs[3] =
        Json::parse(R"({"experiment": "evaluate", "models": ["e_*.onnx", {"path": "m.onnx", "parameters": "c.onnx"}],
        "data": {"format": "idx", "test": {"images": "i", "labels": ["l"]},
                 "subset": {"test": {"count": 3, "seed": 9, "stratified": true}}},
        "loss": {"kind": "cross_entropy", "ignore_index": -100, "label_smoothing": 0.1, "class_weights": [1, 2.5]}})");
    for (const Json& json : configs) {
        test::write_file(folder / "c.json", json.dump());
        const Json resolved = resolved_json(load_config(folder / "c.json"));
        test::write_file(folder / "resolved.json", resolved.dump());
        EXPECT_EQ(resolved_json(load_config(folder / "resolved.json")), resolved) << resolved.dump(2);
    }
    test::write_file(folder / "c.json", configs[3].dump());
    const Config evaluate = load_config(folder / "c.json");
    ASSERT_EQ(evaluate.models.size(), 3u);
    EXPECT_EQ(evaluate.models[0].path.filename(), "e_2.onnx");
    EXPECT_EQ(evaluate.models[1].path.filename(), "e_10.onnx");
}

TEST(Config, WrongValuesAreRefusedInOneSentence) {
    const std::pair<const char*, const char*> cases[] = {
        {"/data/train/0=3", "/data/train/0: expected a path, got number 3"},
        {"/data/train={}", "/data/train: expected a path or a list of paths, got an object"},
        {"/data/train=[]", "/data/train: expected a list of paths, got an empty array"},
        {"/modle=a", "/modle: unknown key, did you mean 'model'?"},
        {"/data/trian=a", "/data/trian: unknown key, did you mean 'train'?"},
        {"/x/steps=4", "/x/steps: unknown key, expected one of min, max, points, margin"},
        {"/x/points=0", "/x/points: expected an integer from 1 to 100000, got number 0"},
        {"/x/points=100001", "/x/points: expected an integer from 1 to 100000, got number 100001"},
        {"/x/points=2.5", "/x/points: expected an integer from 1 to 100000, got number 2.5"},
        {"/x/points=1", "/x: 1 point needs min = max, they are -1 and 1"},
        {"/x/min=1", "/x: expected min < max, they are 1 and 1"},
        {"/x/min=null", "/x/min: expected a number, got null"},
        {"/x=auto", "/x: expected an object with 'min', 'max' and 'points', got string \"auto\""},
        {"/splits=[]", "/splits: expected a list of splits, such as [\"train\"], got an empty array"},
        {"/splits/0=val", "/splits/0: expected one of train, test, got string \"val\""},
        {"/splits/-=train", "/splits/1: the split stands there twice"},
        {"/data/format=cifar",
         "/data/format: expected one of cifar10, idx, npz, npy, synthetic, got string \"cifar\" "
         "(did you mean 'cifar10'?)"},
        {"/data/format=synthetic", "/data/train: is not used by data of format 'synthetic'"},
        {"/data/count=5", "/data/count: is not used by data of format 'cifar10'"},
        {"/data/chunk=0", "/data/chunk: expected an integer of at least 1, got number 0"},
        {"/data/normalize/std/0=0", "/data/normalize/std/0: expected a number above 0, got number 0"},
        {"/data/normalize/std=[1]", "/data/normalize/std: has 1 values, 'mean' has 3"},
        {"/data/subset/train/seed=1",
         "/data/subset/train/seed: needs \"stratified\": true, as a subset in file order is "
         "not random"},
        {"/data/subset/train/stratified=true",
         "/data/subset/train/start: has no place in a stratified subset, which is drawn from all samples"},
        {"/data/subset/train/start=-1", "/data/subset/train/start: expected an integer of at least 0, got number -1"},
        {"/loss=crossentropy",
         "/loss: expected one of cross_entropy, bce_with_logits, mse, mae, huber, output, got string "
         "\"crossentropy\" (did you mean 'cross_entropy'?)"},
        {"/loss={\"kind\": \"mse\", \"delta\": 1}", "/loss/delta: is an option of loss 'huber', not of 'mse'"},
        {"/loss={\"kind\": \"cross_entropy\", \"label_smoothing\": 2}",
         "/loss/label_smoothing: expected a number from 0 to 1, got number 2"},
        {"/directions/kind=rnd", "/directions/kind: expected one of random, file, difference, pca, got string \"rnd\""},
        {"/directions/path=a.h5", "/directions/path: is an option of directions of kind 'file', not of 'random'"},
        {"/directions/seed=-1", "/directions/seed: expected an integer of at least 0, got number -1"},
        {"/directions/ignore=[\"2d\"]",
         "/directions/ignore/0: expected one of bias, batch_norm, norm, 1d, got string \"2d\""
         " (did you mean '1d'?)"},
        {"/directions={\"kind\": \"file\"}", "/directions/path: is missing, expected the path of a direction file"},
        {"/directions={\"kind\": \"file\", \"path\": \"d.txt\"}",
         "/directions/path: expected a .h5, .npz or .safetensors file, got string \"d.txt\""},
        {"/directions={\"kind\": \"difference\", \"models\": [\"a.onnx\"]}",
         "/directions/models: has 1 models, but there are 2 axes to give a direction"},
        {"/directions={\"x\": {\"kind\": \"random\"}}", "/directions/y: is missing, expected a directions object"},
        {"/device=gpu", "/device: expected auto, cpu, cuda or cuda:0,1, got string \"gpu\""},
        {"/precision=fp64", "/precision: expected one of fp32, tf32, fp16, bf16, got string \"fp64\""},
        {"/name=a/b", "/name: expected a name without '/', control characters or a leading '.', got string \"a/b\""},
        {"/models=[\"a\"]", "/models: is not used by experiment 'surface'"},
        {"/model={\"path\": \"a.onnx\", \"parameters\": \"a.pt\"}",
         "/model/parameters: expected a checkpoint (.onnx, .safetensors or .npz), got string \"a.pt\""},
        {"/model=7", "/model: expected a path or an object with 'path' and 'parameters', got number 7"},
        {"/model=", "/model: expected a path, got string \"\""},
        {"x=1", "--set x=1: expected /json/pointer=VALUE"},
        {"/splits/7=a", "--set /splits/7=a: '7' is no index into an array of 1"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_with(override_text), expected) << override_text;
}

TEST(Config, WrongRepetitionsAreErrorsWithTheirPlace) {
    Json repeat = plane();
    repeat["experiment"] = "repeat";
    repeat["count"] = 3;
    const std::string first = resolved_json(load(repeat)).dump();
    EXPECT_EQ(load(repeat).repeats, 3);
    EXPECT_EQ(resolved_json(load(Json::parse(first))).dump(), first);
    const std::pair<const char*, const char*> cases[] = {
        {"/count=1", "/count: expected an integer from 2 to 1000, got number 1"},
        {"/directions={\"kind\": \"file\", \"path\": \"d.h5\"}",
         "/directions/kind: only random directions can be repeated, each time with another seed"},
        {"/directions={\"x\": {\"kind\": \"random\"}, \"y\": {\"kind\": \"random\"}}",
         "/directions: repeated directions are one object for all axes"},
        {"/directions/seed=9000000000000000000", "/directions/seed: repeated directions need a seed of at most 2^62"},
        {"/experiment=surface", "/count: is not used by experiment 'surface'"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_of(repeat.dump(), {override_text}), expected) << override_text;
}

/// Statistics estimated along the first axis.
Json reestimated() {
    Json json = plane();
    json["directions"] = Json::parse(R"({"x": {"kind": "difference", "models": ["other.onnx"], "move": "reestimate",
                                                "statistics": {"split": "test", "count": 2000, "batch": 128}},
                                         "y": {"kind": "random"}})");
    return json;
}

TEST(Config, StatisticsBelongToAPoint) {
    const Config config = load(reestimated());
    ASSERT_NE(config.statistics(), nullptr);
    EXPECT_EQ(*config.statistics(), (StatisticsConfig{"test", 2000, 128}));
    EXPECT_EQ(resolved_json(config)["directions"]["x"]["statistics"].dump(),
              R"({"split":"test","count":2000,"batch":128})");
    EXPECT_EQ(load(plane()).statistics(), nullptr);
    const Json line = Json::parse(R"({"experiment": "interpolation", "model": "a.onnx", "to": "b.onnx",
                                      "move": "reestimate", "statistics": {"count": 10, "batch": 20},
                                      "data": {"format": "synthetic"}})");
    const std::string first = resolved_json(load(line)).dump();
    EXPECT_EQ(resolved_json(load(Json::parse(first))).dump(), first);
    EXPECT_EQ(*load(line).statistics(), (StatisticsConfig{"train", 10, 20}));
}

TEST(Config, WrongStatisticsAreErrorsWithTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"/directions/x={\"kind\": \"difference\", \"models\": [\"a\"], \"move\": \"reestimate\"}",
         "/directions/x/statistics: is missing, expected an object with 'count' and 'batch'"},
        {"/directions/x/move=states", "/directions/x/statistics: is for \"move\": \"reestimate\""},
        {"/directions/x/statistics={\"count\": 5}",
         "/directions/x/statistics/batch: is missing, expected a number of "
         "samples a batch"},
        {"/directions/x/statistics/batch=0",
         "/directions/x/statistics/batch: expected an integer of at least 1, got number 0"},
        {"/directions/x/statistics/split=validation",
         "/directions/x/statistics/split: expected one of train, test, got string \"validation\""},
        {"/data={\"format\": \"cifar10\", \"train\": \"a.bin\"}",
         "/data: has no split 'test', from which statistics are to be estimated"},
        {"/directions/y={\"kind\": \"difference\", \"models\": [\"b\"], \"move\": \"states\"}",
         "/directions: the axes treat the statistics of batch norms in different ways"},
        {"/directions/y={\"kind\": \"random\", \"statistics\": {}}",
         "/directions/y/statistics: is an option of directions of kind 'difference', not of 'random'"},
        {"/statistics={}", "/statistics: is not used by experiment 'surface'"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_of(reestimated().dump(), {override_text}), expected) << override_text;
}

TEST(Config, BrokenFilesAreRefused) {
    EXPECT_EQ(message_of("[1]"), "expected an object, got an array");
    EXPECT_EQ(message_of("{}"),
              "/experiment: is missing, expected surface, interpolation, trajectory, evaluate, weight_norm or repeat");
    EXPECT_EQ(message_of(R"({"a": [1, {"b": 1, "b": 2}]})"), "/a/1/b: the key stands there twice");
    EXPECT_TRUE(message_of("{\"a\": 1,}").starts_with("is not valid JSON: line 1, column 9: "));
    EXPECT_TRUE(message_of("{\"a\": 1e999}").starts_with("is not valid JSON: "));
    EXPECT_EQ(message_of(std::string(100, '[')), "more than 64 levels of nesting");
    const test::TemporaryDirectory folder;
    EXPECT_THROW(static_cast<void>(load_config(folder / "none.json")), InputError);
    EXPECT_THROW(static_cast<void>(load_config(folder.path())), InputError);
}

TEST(Config, TooManyPointsAreRefused) {
    EXPECT_EQ(message_of(plane().dump(), {"/x/points=100000", "/y/points=10001"}),
              "/x and /y make 1000100000 points, at most 1000000000 are possible");
}

TEST(Config, CommentsAreAllowedEverywhere) {
    Json json = plane();
    for (const char* place :
         {"/comment", "/x/comment", "/data/comment", "/data/normalize/comment", "/directions/comment"})
        json[Json::json_pointer(place)] = {1, 2};
    json["$schema"] = "lossmap.schema.json";
    EXPECT_EQ(load(json).x->points, 51);
}

TEST(Config, NetworksHaveAFolderOfTheirOwn) {
    Json json = plane();
    json["networks"] = "../nets";
    json["model"] = Json{{"path", "a/net.onnx"}, {"parameters", "b.npz"}};
    const test::TemporaryDirectory folder;
    std::filesystem::create_directory(folder / "configs");
    test::write_file(folder / "configs" / "config.json", json.dump());
    const Config config = load_config(folder / "configs" / "config.json");
    EXPECT_EQ(config.models.front().path, folder / "nets" / "a" / "net.onnx");
    EXPECT_EQ(config.models.front().checkpoint, folder / "nets" / "b.npz");
    EXPECT_EQ(config.data.splits.at("train").files.files.front().parent_path(), folder / "configs");
    EXPECT_FALSE(resolved_json(config).contains("networks"));  // its paths stand alone
    EXPECT_EQ(message_of(json.dump(), {"/networks=[]"}), "/networks: expected a path, got an empty array");
}

TEST(Config, DataCanBeDescribedInAFileOfTheirOwn) {
    const test::TemporaryDirectory folder;
    Json described = plane()["data"];
    described["chunk"] = 5;
    std::filesystem::create_directory(folder / "sets");
    test::write_file(folder / "sets" / "data.json", described.dump());
    Json json = plane();
    json["data"] = Json::parse(R"({"file": "sets/data.json", "subset": {"train": {"start": 2, "count": 3}}})");
    test::write_file(folder / "config.json", json.dump());
    const auto load_with = [&](const std::vector<std::string>& overrides) {
        return load_config(folder / "config.json", overrides);
    };
    const Config config = load_with({});
    const DataSpec& train = config.data.splits.at("train");
    EXPECT_EQ(train.files.files.front().parent_path(), folder / "sets");
    EXPECT_EQ(train.subset->start, 2);
    EXPECT_EQ(train.mean.size(), described["normalize"]["mean"].size());
    EXPECT_EQ(config.data.chunk, 5);
    EXPECT_EQ(load_with({"/data/chunk=9"}).data.chunk, 9);
    EXPECT_EQ(load_with({R"(/data={"file": "sets/data.json"})"}).data.splits.at("train").subset->start, 5);
    EXPECT_FALSE(resolved_json(config)["data"].contains("file"));
    const auto message_with = [&](const std::string& text) {
        try {
            static_cast<void>(load_with({text}));
        } catch (const InputError& error) {
            const std::string message = error.what();
            return message.substr(folder.path().string().size() + 1);
        }
        return std::string("no error");
    };
    EXPECT_EQ(message_with("/data/format=idx"),
              "config.json: /data/format: unknown key, expected one of file, subset, chunk");
    EXPECT_EQ(message_with("/data/subset/valid={\"count\": 1}"),
              "config.json: /data/subset/valid: unknown key, expected one of train, test");
    test::write_file(folder / "sets" / "nested.json", R"({"file": "data.json"})");
    EXPECT_EQ(message_with("/data/file=sets/nested.json"),
              "sets/nested.json: /file: names a file where data are to be described");
    test::write_file(folder / "sets" / "wrong.json", R"({"format": "npz", "trian": "a"})");
    EXPECT_EQ(message_with("/data/file=sets/wrong.json"),
              "sets/wrong.json: /trian: unknown key, did you mean 'train'?");
}

TEST(Config, EveryExampleLoads) {
    int count = 0;
    for (const char* folder : {"configs", "configs/paper"}) {
        for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / folder)) {
            if (entry.path().extension() != ".json" || entry.path().filename() == "lossmap.schema.json") continue;
            EXPECT_NO_THROW({
                if (!load_sweep(entry.path())) static_cast<void>(load_config(entry.path()));
            }) << entry.path();
            ++count;
        }
    }
    EXPECT_GE(count, 18);
}

}  // namespace
}  // namespace lossmap
