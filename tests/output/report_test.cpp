#include <cmath>
#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "output/content_hash.hpp"
#include "output/report.hpp"
#include "output/report_data.hpp"
#include "output/share_files.hpp"
#include "tests/output/test_surfaces.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::read_file;
using test::steps;
using test::surface_of;
using test::TemporaryDirectory;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\xe2\x80\xa8&\"'";

Surface bowl(int nx, int ny) {
    return surface_of(steps(-1, 1, nx), steps(-1, 1, ny),
                      [](double x, double y) { return 0.05 + 5 * x * x + 4 * y * y; });
}

/// A folder that stands in for share/lossmap, with a small plotly.min.js.
class Report : public testing::Test {
protected:
    void SetUp() override {
        test::write_file(folder_ / "plotly.min.js", "var Plotly = {};\n");
        setenv("LOSSMAP_SHARE_DIR", folder_.path().c_str(), 1);
    }
    void TearDown() override { unsetenv("LOSSMAP_SHARE_DIR"); }

    std::string write(const std::vector<ReportRun>& runs) {
        write_report(folder_ / "report.html", runs);
        return read_file(folder_ / "report.html");
    }
    static std::string between(const std::string& text, const std::string& open, const std::string& close,
                               std::size_t from = 0) {
        const std::size_t start = text.find(open, from);
        if (start == std::string::npos) return "";
        const std::size_t end = text.find(close, start + open.size());
        return text.substr(start + open.size(), end - start - open.size());
    }
    static json data_of(const std::string& page) {
        return json::parse(between(page, "<script type=\"application/json\" id=\"data\">", "</script>"));
    }

    TemporaryDirectory folder_;
};

TEST(ContentHash, Sha256OfTheStandard) {
    // FIPS 180-2, appendix B.1: "abc"
    EXPECT_EQ(sha256_base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    EXPECT_EQ(sha256_base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(ReportData, TextCannotEndTheElement) {
    EXPECT_EQ(escape_json_for_html("\"<\\u0041>&\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac\""),
              "\"\\u003c\\u0041\\u003e\\u0026\\u2028\\u2029\xe2\x82\xac\"");
    EXPECT_EQ(escape_html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    const std::string data = report_data({{kHostile, bowl(2, 2), std::string("{\"a\":\"</script>\"}")}}, 1);
    for (const char* raw : {"<", ">", "&", "\xe2\x80\xa8"})
        EXPECT_THAT(data, Not(HasSubstr(raw)));
    EXPECT_EQ(json::parse(data)["runs"][0]["title"], kHostile);
}

TEST(ReportData, NumbersReadBackToTheSameBitsAndGapsHaveNames) {
    Surface surface = bowl(3, 2);
    SplitSurface& train = surface.splits[0];
    train.loss = {1.0 / 3.0,
                  std::numeric_limits<double>::quiet_NaN(),
                  std::numeric_limits<double>::infinity(),
                  -std::numeric_limits<double>::infinity(),
                  1e-300,
                  0.0};
    test::forget(train, 5);
    const json run = json::parse(report_data({{"r", surface, ""}}, 1))["runs"][0];
    const json& loss = run["splits"][0]["loss"];
    EXPECT_EQ(loss[0].get<double>(), 1.0 / 3.0);
    EXPECT_EQ(loss[1], "nan");
    EXPECT_EQ(loss[2], "inf");
    EXPECT_EQ(loss[3], "-inf");
    EXPECT_EQ(loss[4].get<double>(), 1e-300);
    EXPECT_EQ(loss[5].get<double>(), -1.0);
    EXPECT_EQ(run["splits"][0]["done"], json({1, 1, 1, 1, 1, 0}));
    EXPECT_EQ(run["splits"][1]["done"], 1);  // all equal: one value
    EXPECT_EQ(run["x"].size(), 3U);
    EXPECT_EQ(run["y"].size(), 2U);
}

TEST(ReportData, StrideTakesEveryNthPointOfEachAxis) {
    const Surface surface = surface_of(steps(0, 6, 7), steps(0, 4, 5), [](double x, double y) { return x + 10 * y; });
    const json run = json::parse(report_data({{"r", surface, ""}}, 3))["runs"][0];
    EXPECT_EQ(run["x"], json({0.0, 3.0, 6.0}));
    EXPECT_EQ(run["y"], json({0.0, 3.0}));
    EXPECT_EQ(run["full"], json({7, 5}));
    EXPECT_EQ(run["splits"][0]["loss"], json({0.0, 3.0, 6.0, 30.0, 33.0, 36.0}));
}

TEST(ReportData, WrongSizesAreRefused) {
    Surface surface = bowl(3, 2);
    surface.splits[1].accuracy.pop_back();
    EXPECT_THROW((void)report_data({{"r", surface, ""}}, 1), InputError);
    EXPECT_THROW((void)report_data({{"r", Surface{}, ""}}, 1), InputError);
}

TEST_F(Report, PolicyNamesExactlyTheTwoScripts) {
    const std::string page = write({{"plane", bowl(5, 4), "{\"name\": \"plane\"}"}});
    const std::string policy = between(page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe-eval")));
    EXPECT_THAT(policy, HasSubstr("base-uri 'none'"));
    const std::string script_policy = between(policy, "script-src ", ";");
    EXPECT_THAT(script_policy, Not(HasSubstr("unsafe")));
    std::size_t scripts = 0;
    for (std::size_t at = page.find("<script>"); at != std::string::npos; at = page.find("<script>", at + 1)) {
        EXPECT_THAT(script_policy,
                    HasSubstr("'sha256-" + sha256_base64(between(page, "<script>", "</script>", at)) + "'"));
        ++scripts;
    }
    EXPECT_EQ(scripts, 2U);
    for (const char* outside : {"src=", "href=", "http://", "https://"})
        EXPECT_THAT(page, Not(HasSubstr(outside)));
}

TEST_F(Report, HostileNamesStayText) {
    Surface surface = bowl(3, 3);
    surface.splits[0].name = kHostile;
    surface.provenance = "not json </script>";
    const std::string page = write({{kHostile, surface, "{\"name\": \"</script><b>\"}"}});
    EXPECT_THAT(page, Not(HasSubstr("<img")));
    EXPECT_THAT(page, Not(HasSubstr("alert(2)</script>")));
    EXPECT_THAT(page, HasSubstr("<title>&lt;img src=x onerror=alert(1)&gt;"));
    const json run = data_of(page)["runs"][0];
    EXPECT_EQ(run["splits"][0]["name"], kHostile);
    EXPECT_EQ(run["provenance"], "not json </script>");
    EXPECT_THAT(run["config"].get<std::string>(), HasSubstr("\n  \"name\""));
}

TEST_F(Report, TemplateMarksInNamesStay) {
    const std::string page = write({{"{{plotly}} {{nothing}}", bowl(3, 3), ""}});
    EXPECT_EQ(data_of(page)["runs"][0]["title"], "{{plotly}} {{nothing}}");
}

TEST_F(Report, LargeGridsAreThinnedToThePageLimit) {
    const std::string page = write({{"large", bowl(500, 400), ""}});
    EXPECT_LE(page.size(), 6'000'000U);
    const json run = data_of(page)["runs"][0];
    EXPECT_GT(run["stride"].get<int>(), 1);
    EXPECT_EQ(run["full"], json({500, 400}));
    EXPECT_EQ(run["splits"][0]["loss"].size(), run["x"].size() * run["y"].size());
}

TEST_F(Report, ErrorsLeaveTheOldPage) {
    test::write_file(folder_ / "report.html", "old");
    EXPECT_THROW(write_report(folder_ / "report.html", {}), InputError);
    test::write_file(folder_ / "plotly.min.js", "var x = '</SCRIPT>';");
    EXPECT_THROW(write_report(folder_ / "report.html", {{"r", bowl(2, 2), ""}}), Error);
    fs::remove(folder_ / "plotly.min.js");
    EXPECT_THROW(write_report(folder_ / "report.html", {{"r", bowl(2, 2), ""}}), Error);
    EXPECT_EQ(read_file(folder_ / "report.html"), "old");
}

TEST(ShareFiles, StandBesideTheExecutable) {
    unsetenv("LOSSMAP_SHARE_DIR");
    const fs::path expected =
        fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share/lossmap/plotly.min.js";
    if (fs::exists(expected)) {
        EXPECT_EQ(share_file("plotly.min.js"), expected);
    }
    try {
        (void)share_file("no such file");
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("LOSSMAP_SHARE_DIR"));
    }
}

TEST(FullReport, FitsOnAPage) {
    unsetenv("LOSSMAP_SHARE_DIR");
    try {
        (void)share_file("plotly.min.js");
    } catch (const Error& error) {
        GTEST_SKIP() << error.what();
    }
    const TemporaryDirectory folder;
    write_report(folder / "report.html", {{"a", bowl(51, 51), "{}"}, {"b", bowl(51, 51), "{}"}});
    EXPECT_LE(fs::file_size(folder / "report.html"), 6'000'000U);
}

}  // namespace
}  // namespace lossmap
