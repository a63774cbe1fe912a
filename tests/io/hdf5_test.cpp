#include "io/hdf5_file.hpp"

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/tensor.hpp"
#include "io/npz.hpp"
#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using testing::ElementsAre;

void write_sample(const std::filesystem::path& path) {
    Hdf5File file = Hdf5File::create(path);
    file.write_string("dir_file", "runs/\u00e4/direction.h5");
    file.write("xdirection/0", std::vector<float>{1.5f, -2.0f, 3.0f, 4.0f}, {2, 2});
    file.write("xdirection/1", std::vector<float>{0.25f}, {1});
    file.write("train_loss", std::vector<double>{-1.0, std::numeric_limits<double>::quiet_NaN(), 1e300}, {1, 3});
    file.write("train_samples", std::vector<std::int64_t>{std::int64_t{1} << 40, -3}, {2});
    file.write("train_done", std::vector<std::uint8_t>{0, 1, 255}, {3});
    file.write("scalar", std::vector<double>{2.5}, {});
    file.write("nothing", std::vector<double>{}, {0, 3});
    file.write_strings("names", {"conv1.weight", "", "fc.bias"});
    file.create_group("a/b");
    file.write_attribute("/", "config", "{\"name\": \"x\"}");
    file.write_attribute("/", "cosine", 0.125);
    file.write_attribute("xdirection", "count", std::int64_t{2});
    file.write_attribute("xdirection/0", "names", std::vector<std::string>{"one", "two"});
    file.close();
}

TEST(Hdf5, RoundTrips) {
    const test::TemporaryDirectory folder;
    write_sample(folder / "a.h5");
    const Hdf5File file = Hdf5File::open(folder / "a.h5");
    EXPECT_THAT(file.list(), ElementsAre("a", "dir_file", "names", "nothing", "scalar", "train_done", "train_loss",
                                         "train_samples", "xdirection"));
    EXPECT_THAT(file.list("xdirection"), ElementsAre("0", "1"));
    EXPECT_EQ(file.read_string("dir_file"), "runs/\u00e4/direction.h5");
    EXPECT_EQ(file.info("xdirection/0").shape, (Shape{2, 2}));
    EXPECT_EQ(file.info("xdirection/0").kind, Hdf5Kind::floating_point);
    EXPECT_EQ(file.info("xdirection/0").element_bytes, 4u);
    EXPECT_THAT(file.read<float>("xdirection/0"), ElementsAre(1.5f, -2.0f, 3.0f, 4.0f));
    EXPECT_THAT(file.read<double>("train_loss"), ElementsAre(-1.0, testing::IsNan(), 1e300));
    EXPECT_THAT(file.read<std::int64_t>("train_samples"), ElementsAre(std::int64_t{1} << 40, -3));
    EXPECT_THAT(file.read<std::uint8_t>("train_done"), ElementsAre(0, 1, 255));
    EXPECT_EQ(file.info("scalar").shape, Shape{});
    EXPECT_THAT(file.read<double>("scalar"), ElementsAre(2.5));
    EXPECT_THAT(file.read<double>("nothing"), ElementsAre());
    EXPECT_THAT(file.read_strings("names"), ElementsAre("conv1.weight", "", "fc.bias"));
    EXPECT_EQ(file.string_attribute("/", "config"), "{\"name\": \"x\"}");
    EXPECT_EQ(file.double_attribute("/", "cosine"), 0.125);
    EXPECT_EQ(file.int_attribute("xdirection", "count"), 2);
    EXPECT_THAT(file.strings_attribute("xdirection/0", "names"), ElementsAre("one", "two"));
}

TEST(Hdf5, KnowsWhatIsThere) {
    const test::TemporaryDirectory folder;
    write_sample(folder / "a.h5");
    const Hdf5File file = Hdf5File::open(folder / "a.h5");
    for (const char* name : {"/", "a/b", "/a/b", "xdirection/0"})
        EXPECT_TRUE(file.exists(name)) << name;
    for (const char* name : {"b", "absent/0", "xdirection/2", "", "xdirection/0/1"})
        EXPECT_FALSE(file.exists(name)) << name;
    EXPECT_TRUE(file.is_group("xdirection"));
    EXPECT_FALSE(file.is_group("train_loss"));
    EXPECT_TRUE(file.has_attribute("/", "cosine"));
    EXPECT_FALSE(file.has_attribute("/", "sine"));
    EXPECT_FALSE(file.has_attribute("absent", "cosine"));
}

TEST(Hdf5, TheSameCallsWriteTheSameBytes) {
    const test::TemporaryDirectory folder;
    write_sample(folder / "a.h5");
    // Memory that HDF5 reuses must not show in the file.
    std::vector<std::string> rubbish(1000, std::string(4096, 'r'));
    rubbish.clear();
    write_sample(folder / "b.h5");
    EXPECT_TRUE(test::read_file(folder / "a.h5") == test::read_file(folder / "b.h5"));
}

TEST(Hdf5, ReadsWhatH5pyWrites) {
    const Hdf5File file = Hdf5File::open(test::source_dir() / "tests/io/fixtures/h5py.h5");
    EXPECT_EQ(file.read_string("dir_file"), "a direction.h5");
    EXPECT_EQ(file.read_string("fixed"), "fixed length");
    EXPECT_THAT(file.read_strings("texts"), ElementsAre("one", "zwei", "\u4e09"));
    EXPECT_THAT(file.read<double>("group/values"), ElementsAre(0, 0.25, 0.5, 0.75, 1.0, 1.25));
    EXPECT_THAT(file.read<float>("group/values"), ElementsAre(0, 0.25f, 0.5f, 0.75f, 1.0f, 1.25f));
    EXPECT_THAT(file.read<float>("group/halves"), ElementsAre(0.5f, -1.5f));
    EXPECT_THAT(file.read<std::int64_t>("big_endian"), ElementsAre(1, 2, 300));
    EXPECT_THAT(file.read<double>("big_endian"), ElementsAre(1, 2, 300));
    EXPECT_EQ(file.read<float>("packed").size(), 10'000u);
    EXPECT_THAT(file.read<std::int64_t>("scalar"), ElementsAre(-7));
    EXPECT_EQ(file.string_attribute("/", "text"), "provenance");
    EXPECT_EQ(file.double_attribute("/", "number"), 1.5);
    EXPECT_EQ(file.int_attribute("/", "count"), 42);
    EXPECT_THAT(file.strings_attribute("/", "names"), ElementsAre("conv1.weight", "fc.bias"));
    EXPECT_EQ(file.double_attribute("group", "inside"), 0.25);
}

TEST(Hdf5, SaysWhatDoesNotFit) {
    const std::filesystem::path path = test::source_dir() / "tests/io/fixtures/h5py.h5";
    const Hdf5File file = Hdf5File::open(path);
    expect_input_error([&] { (void)file.read<float>("absent"); }, {"h5py.h5: no dataset 'absent'"});
    expect_input_error([&] { (void)file.read<float>("group"); }, {"no dataset 'group'"});
    expect_input_error([&] { (void)file.read<float>("dir_file"); }, {"dataset 'dir_file' does not hold numbers"});
    expect_input_error([&] { (void)file.read<float>("complex"); }, {"dataset 'complex' does not hold numbers"});
    expect_input_error([&] { (void)file.read<std::int64_t>("group/values"); }, {"does not hold signed integers"});
    expect_input_error([&] { (void)file.read<std::uint8_t>("big_endian"); }, {"'big_endian' holds 300"});
    expect_input_error([&] { (void)file.read_string("texts"); }, {"'texts' holds 3 strings, expected one"});
    expect_input_error([&] { (void)file.read_strings("scalar"); }, {"'scalar' does not hold strings"});
    expect_input_error([&] { (void)file.list("texts"); }, {"no group 'texts'"});
    expect_input_error([&] { (void)file.string_attribute("/", "absent"); }, {"'/' has no attribute 'absent'"});
    expect_input_error([&] { (void)file.string_attribute("/", "number"); }, {"attribute 'number'", "not text"});
    expect_input_error([&] { (void)file.int_attribute("/", "number"); }, {"attribute 'number'", "not one integer"});
    expect_input_error([&] { (void)file.double_attribute("/", "names"); }, {"attribute 'names'", "not one number"});
    expect_input_error([&] { (void)file.string_attribute("/", "names"); }, {"not one string"});
    // Four terabytes are claimed, none of them are in the file.
    expect_input_error([&] { (void)file.read<float>("huge"); }, {"'huge' claims 1099511627776 elements"});
}

TEST(Hdf5, RefusesWhatIsNoHdf5File) {
    const test::TemporaryDirectory folder;
    expect_input_error([&] { (void)Hdf5File::open(folder / "absent.h5"); }, {"absent.h5: no such file"});
    expect_input_error([&] { (void)Hdf5File::open(folder.path()); }, {"is a folder"});
    test::write_file(folder / "text.h5", "some text");
    expect_input_error([&] { (void)Hdf5File::open(folder / "text.h5"); }, {"text.h5: is not an HDF5 file"});
    EXPECT_THROW((void)Hdf5File::create(folder / "absent/a.h5"), Error);
    write_sample(folder / "a.h5");
    const std::string content = test::read_file(folder / "a.h5");
    test::expect_truncation_errors(content, 101, [&](const std::string& part) {
        test::write_file(folder / "part.h5", part);
        (void)Hdf5File::open(folder / "part.h5");
    });
}

TEST(Hdf5, WritingErrorsNameTheDataset) {
    const test::TemporaryDirectory folder;
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    file.write("x", std::vector<float>{1}, {1});
    const auto message = [&](const auto& body) {
        try {
            body();
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_THAT(message([&] { file.write("x", std::vector<float>{1}, {1}); }),
                testing::HasSubstr("cannot create dataset 'x'"));
    EXPECT_THAT(message([&] { file.write("y", std::vector<float>{1}, {2}); }),
                testing::HasSubstr("1 values for shape [2]"));
    EXPECT_THAT(message([&] { file.write_attribute("z", "a", 1.0); }), testing::HasSubstr("attribute 'a' of 'z'"));
    file.close();
    EXPECT_THROW(file.close(), InternalError);
}

std::string python() {
    const char* named = std::getenv("LOSSMAP_PYTHON");
    return named != nullptr ? named : "python3";
}

TEST(Python, OpensOurFiles) {
    if (std::system((python() + " -c 'import h5py, numpy' 2>/dev/null").c_str()) != 0) {
        GTEST_SKIP() << python() << " has no h5py and numpy; set LOSSMAP_PYTHON to one that has";
    }
    const test::TemporaryDirectory folder;
    write_sample(folder / "a.h5");
    const Tensor x = Tensor::from<float>(std::vector<float>{1, -2, 3}, {3, 1});
    const Tensor y = Tensor::scalar<std::int64_t>(7);
    write_npz(folder / "a.npz", {{"x", x.view()}, {"y", y.view()}});
    test::write_file(folder / "check.py", R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1] + "/a.h5") as f:
    assert f["dir_file"][()].decode() == "runs/\u00e4/direction.h5"
    assert f["dir_file"].asstr()[()] == "runs/\u00e4/direction.h5"
    assert f["xdirection/0"].dtype == np.float32 and (f["xdirection/0"][:] == [[1.5, -2], [3, 4]]).all()
    assert f["train_loss"].dtype == np.float64 and f["train_loss"].shape == (1, 3) and np.isnan(f["train_loss"][0, 1])
    assert f["train_samples"].dtype == np.int64 and (f["train_samples"][:] == [1 << 40, -3]).all()
    assert f["train_done"].dtype == np.uint8 and (f["train_done"][:] == [0, 1, 255]).all()
    assert f["scalar"][()] == 2.5 and f["nothing"].shape == (0, 3)
    assert list(f["names"].asstr()[:]) == ["conv1.weight", "", "fc.bias"]
    assert f.attrs["config"] == '{"name": "x"}' and f.attrs["cosine"] == 0.125
    assert f["xdirection"].attrs["count"] == 2 and list(f["xdirection/0"].attrs["names"]) == ["one", "two"]
    assert list(f["a"]) == ["b"]
with np.load(sys.argv[1] + "/a.npz") as f:
    assert f.files == ["x", "y"] and f["x"].dtype == np.float32 and (f["x"] == [[1], [-2], [3]]).all() and f["y"] == 7
)");
    EXPECT_EQ(std::system((python() + " " + (folder / "check.py").string() + " " + folder.path().string()).c_str()), 0);
}

}  // namespace
}  // namespace lossmap
