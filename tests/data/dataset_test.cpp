#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/dataset_factory.hpp"
#include "io/npy.hpp"
#include "io/npz.hpp"
#include "tests/data/expected_images.hpp"
#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using test::images;
using testing::ElementsAre;

/// `count` CIFAR-10 records of random bytes; the label of record i is i % 10.
std::string cifar_records(int count, unsigned seed) {
    std::mt19937 generator(seed);
    std::string content;
    for (int i = 0; i < count; ++i) {
        content += static_cast<char>(i % 10);
        for (int pixel = 0; pixel < 3072; ++pixel)
            content += static_cast<char>(generator() & 0xff);
    }
    return content;
}

std::string idx_of(const Shape& shape, const std::string& elements) {
    std::string content("\0\0\x08", 3);
    content += static_cast<char>(shape.size());
    for (const std::int64_t extent : shape) {
        for (int shift = 24; shift >= 0; shift -= 8)
            content += static_cast<char>(extent >> shift & 0xff);
    }
    return content + elements;
}

class Data : public testing::Test {
protected:
    DataSpec cifar(const std::vector<std::string>& contents) {
        DataSpec spec;
        spec.format = DataFormat::cifar10;
        for (std::size_t i = 0; i < contents.size(); ++i) {
            spec.files.files.push_back(folder_ / ("batch_" + std::to_string(i + 1) + ".bin"));
            test::write_file(spec.files.files.back(), contents[i]);
        }
        return spec;
    }
    template <typename X, typename Y>
    DataSpec npy(const std::vector<X>& x, const Shape& x_shape, const std::vector<Y>& y, const Shape& y_shape) {
        DataSpec spec;
        spec.format = DataFormat::npy;
        spec.files.arrays = {{"x", folder_ / "x.npy"}, {"y", folder_ / "y.npy"}};
        write_npy(folder_ / "x.npy", Tensor::from<X>(x, x_shape).view());
        write_npy(folder_ / "y.npy", Tensor::from<Y>(y, y_shape).view());
        return spec;
    }
    test::TemporaryDirectory folder_;
};

TEST_F(Data, CifarIsScaledAndNormalizedInTheOrderOfPyTorch) {
    const std::string first = cifar_records(3, 1);
    const std::string second = cifar_records(2, 2);
    DataSpec spec = cifar({first, second});
    spec.mean = {0.485f, 0.456f, 0.406f};
    spec.std = {0.229f, 0.224f, 0.225f};
    const auto data = open_dataset(spec, images({3, 32, 32}));
    ASSERT_EQ(data->size(), 5);
    EXPECT_EQ(data->inputs()[0].name, "input");
    EXPECT_EQ(data->inputs()[0].sample_shape, (Shape{3, 32, 32}));
    EXPECT_EQ(data->target().sample_shape, Shape{});
    const SampleChunk chunk = data->read(1, 4);  // across the two files
    EXPECT_EQ(chunk.inputs[0].shape(), (Shape{4, 3, 32, 32}));
    EXPECT_THAT(chunk.target.as<std::int64_t>(), ElementsAre(1, 2, 0, 1));
    const std::string all = first + second;
    for (std::size_t sample = 0; sample < 4; ++sample) {
        for (std::size_t i = 0; i < 3072; ++i) {
            const auto byte = static_cast<unsigned char>(all[(sample + 1) * 3073 + 1 + i]);
            const float scaled = static_cast<float>(byte) / 255.0f;
            const float centred = scaled - spec.mean[i / 1024];
            const float expected = centred / spec.std[i / 1024];
            ASSERT_EQ(chunk.inputs[0].as<float>()[sample * 3072 + i], expected);
        }
    }
    EXPECT_THAT(data->describe(),
                testing::AllOf(testing::HasSubstr("5 samples of [3, 32, 32]"), testing::HasSubstr("batch_1.bin")));
}

TEST_F(Data, EveryChunkingReadsTheSame) {
    const DataSpec spec = cifar({cifar_records(7, 1), cifar_records(6, 2)});
    const auto data = open_dataset(spec, images({3, 32, 32}));
    const SampleChunk whole = data->read(0, 13);
    for (const std::int64_t step : {1, 4, 5}) {
        for (std::int64_t first = 0; first < 13; first += step) {
            const SampleChunk chunk = data->read(first, std::min(step, 13 - first));
            EXPECT_EQ(chunk.first, first);
            EXPECT_EQ(std::memcmp(chunk.inputs[0].data(), whole.inputs[0].as<float>().data() + first * 3072,
                                  chunk.inputs[0].size_bytes()),
                      0);
        }
    }
    EXPECT_EQ(data->read(13, 0).target.count(), 0);
    EXPECT_THROW((void)data->read(10, 4), InternalError);
    EXPECT_THROW((void)data->read(-1, 2), InternalError);
}

TEST_F(Data, ThreadsMayReadTogether) {
    const auto data = open_dataset(cifar({cifar_records(40, 1)}), images({3, 32, 32}));
    const SampleChunk whole = data->read(0, 40);
    std::vector<std::thread> threads;
    std::vector<int> differences(4, -1);
    for (std::size_t thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            differences[thread] = 0;
            for (std::int64_t first = 0; first < 40; ++first) {
                const SampleChunk chunk = data->read(first, 1);
                differences[thread] |=
                    std::memcmp(chunk.inputs[0].data(), whole.inputs[0].as<float>().data() + first * 3072, 3072 * 4);
            }
            if (data->content_hash().empty()) differences[thread] = 1;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_THAT(differences, testing::Each(0));
}

TEST_F(Data, IdxImagesHaveOneChannel) {
    DataSpec spec;
    spec.format = DataFormat::idx;
    spec.files.images = {folder_ / "images"};
    spec.files.labels = {folder_ / "labels"};
    spec.mean = {0.5f};
    spec.std = {0.25f};
    test::write_file(folder_ / "images",
                     idx_of({3, 2, 2}, std::string("\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff", 12)));
    test::write_file(folder_ / "labels", idx_of({3}, std::string("\x09\0\x01", 3)));
    for (const Shape& shape : {Shape{1, 2, 2}, Shape{2, 2}, Shape{-1, -1, -1}, Shape{1, 1, 2, 2}}) {
        const auto data = open_dataset(spec, images(shape));
        EXPECT_EQ(data->inputs()[0].sample_shape.size(), shape.size());
        const SampleChunk chunk = data->read(2, 1);
        EXPECT_EQ(chunk.inputs[0].as<float>()[3], (1.0f - 0.5f) / 0.25f);
        EXPECT_THAT(chunk.target.as<std::int64_t>(), ElementsAre(1));
    }
    expect_input_error([&] { (void)open_dataset(spec, images({4})); },
                       {"images: samples have the shape [1, 2, 2]", "'input' expects [4]"});
    expect_input_error([&] { (void)open_dataset(spec, images({3, 2, 2})); }, {"[1, 2, 2]", "[3, 2, 2]"});
    test::write_file(folder_ / "labels", idx_of({2}, std::string("\x09\0", 2)));
    expect_input_error(
        [&] {
            (void)open_dataset(spec, images({1, 2, 2}));
        },
        {"labels: holds 2 samples, but", "images holds 3"});
    test::write_file(folder_ / "labels", idx_of({3, 1}, std::string(3, '\0')));
    expect_input_error([&] { (void)open_dataset(spec, images({1, 2, 2})); }, {"labels: has shape [3, 1]"});
}

/// Chunks hold bytes, with a table of so many channels, that stand for the values they hold otherwise.
void expect_bytes(const DataSpec& spec, DataExpectation expectation, std::int64_t channels) {
    const auto values = open_dataset(spec, expectation);
    expectation.bytes = true;
    const auto bytes = open_dataset(spec, expectation);
    EXPECT_EQ(bytes->content_hash(), values->content_hash());
    const FieldInfo& field = bytes->inputs()[0];
    EXPECT_EQ(field.dtype, DType::f32);
    EXPECT_EQ(field.byte_channels, channels);
    EXPECT_EQ(4 * field.sample_bytes(), values->inputs()[0].sample_bytes());
    EXPECT_FALSE(values->inputs()[0].is_bytes());
    const std::int64_t count = bytes->size() - 1;
    const SampleChunk chunk = bytes->read(1, count);
    const SampleChunk expected = values->read(1, count);
    ASSERT_TRUE(chunk.inputs[0].is_bytes());
    EXPECT_FALSE(expected.inputs[0].is_bytes());
    EXPECT_EQ(chunk.inputs[0].dtype(), DType::u8);
    EXPECT_EQ(chunk.inputs[0].shape(), expected.inputs[0].shape());
    EXPECT_EQ(std::memcmp(chunk.target.data(), expected.target.data(), expected.target.size_bytes()), 0);
    std::vector<float> decoded(static_cast<std::size_t>(chunk.inputs[0].count()), -1.0F);
    chunk.inputs[0].decode(0, count, decoded.data());
    EXPECT_EQ(std::memcmp(decoded.data(), expected.inputs[0].data(), expected.inputs[0].size_bytes()), 0);
    const auto width = decoded.size() / static_cast<std::size_t>(count);
    chunk.inputs[0].decode(count - 1, 1, decoded.data());
    EXPECT_EQ(std::memcmp(decoded.data(), expected.inputs[0].as<float>().data() + decoded.size() - width,
                          width * sizeof(float)),
              0);
    EXPECT_THROW(expected.inputs[0].decode(0, 1, decoded.data()), InternalError);
}

TEST_F(Data, BytesMayBeHandedOutAsTheyAre) {
    DataSpec spec = cifar({cifar_records(20, 1), cifar_records(20, 2)});
    expect_bytes(spec, images({3, 32, 32}), 1);
    spec.mean = {0.485f, 0.456f, 0.406f};
    spec.std = {0.229f, 0.224f, 0.225f};
    expect_bytes(spec, images({3, 32, 32}), 3);
    expect_bytes(spec, images({1, 3, 32, 32}), 3);
    spec.subset = SubsetSpec{5, 9};
    expect_bytes(spec, images({3, 32, 32}), 3);
    spec.subset = SubsetSpec{0, 20, true, 4};
    expect_bytes(spec, images({3, 32, 32}), 3);
    DataSpec grey = npy<std::uint8_t>({0, 1, 127, 128, 254, 255}, {3, 1, 2}, std::vector<std::uint8_t>{0, 1, 2}, {3});
    grey.mean = {0.1307f};
    grey.std = {0.3081f};
    expect_bytes(grey, images({1, 2}), 1);
    expect_bytes(grey, images({2}), 1);
}

TEST_F(Data, OnlyBytesAreHandedOutAsBytes) {
    DataExpectation expectation = images({2});
    expectation.bytes = true;
    const std::vector<std::int32_t> labels{0, 1};
    EXPECT_FALSE(open_dataset(npy<float>({1, 2, 3, 4}, {2, 2}, labels, {2}), expectation)->inputs()[0].is_bytes());
    expectation.inputs[0].dtype = DType::i64;
    const auto tokens = open_dataset(npy<std::uint8_t>({1, 2, 3, 4}, {2, 2}, labels, {2}), expectation);
    EXPECT_FALSE(tokens->inputs()[0].is_bytes());
    EXPECT_THAT(tokens->read(0, 2).inputs[0].as<std::int64_t>(), ElementsAre(1, 2, 3, 4));
}

TEST_F(Data, WhatIsReadTwiceHasTwoIdentities) {
    const auto data = open_dataset(cifar({cifar_records(4, 1)}), images({3, 32, 32}));
    const SampleChunk one = data->read(0, 2);
    EXPECT_NE(one.identity, nullptr);
    EXPECT_NE(one.identity, data->read(0, 2).identity);
    EXPECT_EQ(rows_of(one, 0, 1).identity, nullptr) << "a part of it is something else";
}

TEST_F(Data, FloatsAreNormalizedAChannel) {
    DataSpec spec = npy<double>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}, std::vector<std::int32_t>{0, 1}, {2});
    spec.mean = {1.0f, 2.0f};
    spec.std = {2.0f, 4.0f};
    const auto data = open_dataset(spec, images({2, 2}));
    EXPECT_THAT(data->read(0, 2).inputs[0].as<float>(), ElementsAre(0, 0.5, 0.25, 0.5, 2, 2.5, 1.25, 1.5));
    EXPECT_THAT(data->read(0, 2).target.as<std::int64_t>(), ElementsAre(0, 1));
    spec.mean = {1.0f};
    spec.std = {1.0f};
    expect_input_error(
        [&] {
            (void)open_dataset(spec, images({2, 2}));
        },
        {"x.npy", "[2, 2] have 2 channels", "1 values"});
    spec.std = {1.0f, 1.0f};
    expect_input_error([&] { (void)open_dataset(spec, images({2, 2})); }, {"1 values of mean and 2 of std"});
    spec.mean = {0.0f, 0.0f};
    spec.std = {1.0f, 0.0f};
    expect_input_error([&] { (void)open_dataset(spec, images({2, 2})); }, {"positive"});
}

TEST_F(Data, TokensStayIntegers) {
    DataExpectation expectation;
    expectation.inputs = {{"ids", DType::i64, {-1}}};
    expectation.classes = 100;
    const DataSpec spec = npy<std::int64_t>({5, 6, 7, 8}, {2, 2}, std::vector<std::int64_t>{6, 7, 8, 99}, {2, 2});
    const auto data = open_dataset(spec, expectation);
    const SampleChunk chunk = data->read(0, 2);
    EXPECT_THAT(chunk.inputs[0].as<std::int64_t>(), ElementsAre(5, 6, 7, 8));
    EXPECT_EQ(chunk.target.shape(), (Shape{2, 2}));
    DataSpec normalized = spec;
    normalized.mean = normalized.std = {1.0f};
    expect_input_error([&] { (void)open_dataset(normalized, expectation); }, {"normalize", "integers"});
    expect_input_error([&] { (void)open_dataset(spec, images({2})); }, {"x.npy: holds i64", "'input' expects bytes"});
    const DataSpec floats = npy<float>({5, 6, 7, 8}, {2, 2}, std::vector<std::int64_t>{0, 1}, {2});
    expect_input_error([&] { (void)open_dataset(floats, expectation); },
                       {"x.npy: holds f32", "'ids' expects integers"});
}

TEST_F(Data, RegressionTargetsAreFloats) {
    DataExpectation expectation = images({1});
    expectation.integer_targets = false;
    expectation.classes = -1;
    const auto data = open_dataset(npy<float>({1, 2}, {2, 1}, std::vector<double>{0.5, -7}, {2, 1}), expectation);
    EXPECT_EQ(data->target().dtype, DType::f32);
    EXPECT_THAT(data->read(0, 2).target.as<float>(), ElementsAre(0.5f, -7.0f));
    const auto bits = open_dataset(npy<float>({1, 2}, {2, 1}, std::vector<std::uint8_t>{0, 1}, {2, 1}), expectation);
    EXPECT_THAT(bits->read(0, 2).target.as<float>(), ElementsAre(0.0f, 1.0f));
    expectation.integer_targets = true;
    const DataSpec spec = npy<float>({1, 2}, {2, 1}, std::vector<double>{0.5, -7}, {2});
    expect_input_error([&] { (void)open_dataset(spec, expectation); }, {"y.npy: holds f64", "integer class labels"});
}

TEST_F(Data, SeveralInputsComeByName) {
    const Tensor ids = Tensor::from<std::int64_t>(std::vector<std::int64_t>{1, 2}, {2, 1});
    const Tensor mask = Tensor::from<float>(std::vector<float>{1, 0}, {2, 1});
    const Tensor labels = Tensor::from<std::int64_t>(std::vector<std::int64_t>{0, 1}, {2});
    write_npz(folder_ / "d.npz", {{"ids", ids.view()}, {"m", mask.view()}, {"labels", labels.view()}});
    DataExpectation expectation;
    expectation.inputs = {{"mask", DType::f32, {1}}, {"tokens", DType::i64, {1}}};
    DataSpec spec;
    spec.format = DataFormat::npz;
    spec.files.files = {folder_ / "d.npz"};
    spec.inputs = {{"tokens", "ids"}, {"mask", "m"}};
    spec.target = "labels";
    const auto data = open_dataset(spec, expectation);
    const SampleChunk chunk = data->read(0, 2);
    EXPECT_THAT(chunk.inputs[0].as<float>(), ElementsAre(1.0f, 0.0f));
    EXPECT_THAT(chunk.inputs[1].as<std::int64_t>(), ElementsAre(1, 2));
    EXPECT_EQ(data->inputs()[1].name, "tokens");
    spec.inputs = {{"tokens", "ids"}};
    expect_input_error([&] { (void)open_dataset(spec, expectation); }, {"no array for the model's input 'mask'"});
    spec.inputs = {{"tokens", "ids"}, {"mask", "m"}, {"other", "m"}};
    expect_input_error([&] { (void)open_dataset(spec, expectation); }, {"'other'", "mask, tokens"});
    spec.inputs.clear();
    expect_input_error([&] { (void)open_dataset(spec, expectation); }, {"d.npz: has no array 'mask'"});
    expectation.inputs.pop_back();
    spec.inputs = {{"mask", "m"}};
    spec.target = "y";
    expect_input_error([&] { (void)open_dataset(spec, expectation); }, {"d.npz: has no array 'y'"});
    expectation.needs_target = false;
    const SampleChunk without = open_dataset(spec, expectation)->read(0, 2);
    EXPECT_EQ(without.target.shape(), (Shape{2, 0}));
}

TEST_F(Data, LabelsAreCheckedWhenOpened) {
    std::string second = cifar_records(4, 2);
    second[3 * 3073] = 10;
    const DataSpec spec = cifar({cifar_records(3, 1), second});
    expect_input_error(
        [&] {
            (void)open_dataset(spec, images({3, 32, 32}));
        },
        {"batch_2.bin: record 3 has the label 10", "10 classes (labels 0 to 9)"});
    EXPECT_EQ(open_dataset(spec, images({3, 32, 32}, 11))->size(), 7);
    EXPECT_EQ(open_dataset(spec, images({3, 32, 32}, -1))->size(), 7);
    DataExpectation expectation = images({1}, 3);
    const DataSpec ignored = npy<float>({1, 2}, {2, 1}, std::vector<std::int64_t>{2, -100}, {2});
    expect_input_error([&] { (void)open_dataset(ignored, expectation); }, {"y.npy: record 1 has the label -100"});
    expectation.ignore_index = -100;
    EXPECT_EQ(open_dataset(ignored, expectation)->size(), 2);
    const DataSpec wrapped = npy<float>({1}, {1, 1}, std::vector<std::uint64_t>{~std::uint64_t{0}}, {1});
    expect_input_error([&] { (void)open_dataset(wrapped, expectation); }, {"y.npy: holds a number above"});
}

TEST_F(Data, WrongFilesAreOneSentence) {
    DataSpec spec = cifar({cifar_records(2, 1)});
    expect_input_error(
        [&] {
            (void)open_dataset(spec, images({1, 28, 28}));
        },
        {"batch_1.bin", "[3, 32, 32]", "[1, 28, 28]"});
    spec.files.files = {folder_ / "absent.bin"};
    expect_input_error([&] { (void)open_dataset(spec, images({3, 32, 32})); }, {"absent.bin: no such file"});
    spec.files.files.clear();
    expect_input_error([&] { (void)open_dataset(spec, images({3, 32, 32})); }, {"name no files"});
    DataExpectation two = images({3, 32, 32});
    two.inputs.push_back({"mask", DType::f32, {1}});
    expect_input_error([&] { (void)open_dataset(spec, two); }, {"one input", "input, mask"});
    spec.format = DataFormat::npz;
    expect_input_error([&] { (void)open_dataset(spec, images({1})); }, {"one file a split, 0"});
    spec.format = DataFormat::npy;
    expect_input_error([&] { (void)open_dataset(spec, images({1})); }, {"a file for the array 'x'"});
    const DataSpec empty = npy<float>({}, {0, 1}, std::vector<std::int64_t>{}, {0});
    expect_input_error([&] { (void)open_dataset(empty, images({1})); }, {"x.npy: holds no samples"});
    const DataSpec scalar = npy<float>({1}, {}, std::vector<std::int64_t>{1}, {1});
    expect_input_error([&] { (void)open_dataset(scalar, images({1})); }, {"x.npy: is a single number"});
    const DataSpec uneven = npy<float>({1, 2}, {2, 1}, std::vector<std::int64_t>{1}, {1});
    expect_input_error([&] { (void)open_dataset(uneven, images({1})); }, {"y.npy: holds 1 samples", "x.npy holds 2"});
}

TEST_F(Data, TheHashFollowsWhatReadReturns) {
    const std::string content = cifar_records(20, 1);
    const DataSpec spec = cifar({content});
    const auto hash = [](const DataSpec& changed) {
        return open_dataset(changed, images({3, 32, 32}))->content_hash();
    };
    const std::string base = hash(spec);
    EXPECT_EQ(base.size(), 32u);
    EXPECT_EQ(hash(spec), base);
    DataSpec changed = spec;
    changed.mean = {0.1f, 0.2f, 0.3f};
    changed.std = {1.0f, 1.0f, 1.0f};
    EXPECT_NE(hash(changed), base);
    changed = spec;
    changed.subset = SubsetSpec{0, 19, false, 0};
    EXPECT_NE(hash(changed), base);
    EXPECT_EQ(hash(cifar({content.substr(0, 3073 * 8), content.substr(3073 * 8)})), base) << "splitting into files";
    std::string other = content;
    other.back() ^= 1;
    EXPECT_NE(hash(cifar({other})), base);
    other = content;
    other[3073] ^= 1;
    EXPECT_NE(hash(cifar({other})), base) << "a label";
}

}  // namespace
}  // namespace lossmap
