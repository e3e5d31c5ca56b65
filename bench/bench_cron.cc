// bench_cron.cc: an expression from its text to the first time it means, against a search that
// looks at every minute.
//
// Names are Parse/case, Next/case, ParseAndNext/case, Count/case and Naive/case; a case is an expression in UTC
// (".../utc/...") or in a zone with daylight saving. Naive is given the parsed expression and a zone
// whose offset it looks up for every minute, as the obvious scheduler does; cases that it would
// take seconds for are left out. Count is how many times there are in ten years. Targets: ParseAndNext at most 2 us in UTC, 5 us in a zone.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cron.h"

namespace
{

struct Case {
    const char *name, *text;
    bool naive;
};

constexpr Case kCases[] = {
    {"second", "* * * * * *", true},
    {"minute", "* * * * *", true},
    {"quarter", "*/15 * * * *", true},
    {"hourly", "@hourly", true},
    {"daily", "30 2 * * *", true},
    {"weekdays", "0 9 * * mon-fri", true},
    {"seconds", "*/10 0-30/5 9-17 * * mon-fri", true},
    {"monthly", "0 0 1 * *", true},
    {"last", "0 18 LW * *", true},
    {"leap", "0 0 29 2 *", false},
    {"lists", "0,5,17,29,41,53 1,3,5-9,22-2/2 1,7,15W,L jan,mar-sep/2,dec mon-thu,6#2,5L", true},
    {"calendar", "weekly 2 on mon,thu at 09:00,17:30", true},
};

// 2026-11-20T09:26:49Z, and steps of a prime number of seconds from there.
constexpr std::int64_t kNow = 1795166809;
constexpr std::int64_t kStep = 7919;
constexpr std::int64_t kTenYears = 3652 * 86400;

const pawl_zone *
zone_of(bool is_utc)
{
    const pawl_zone *zone = pawl_zone_utc();
    if (!is_utc && pawl_zone_load("America/New_York", 16, &zone, nullptr) != 0)
        std::abort();
    return zone;
}

pawl_cron
parse(const Case &which, const pawl_zone *zone)
{
    pawl_cron_options options{};
    pawl_cron cron;
    options.zone = zone;
    options.start_s = kNow;
    if (pawl_cron_parse(
            &cron, which.text, std::strlen(which.text), &options, nullptr, nullptr) != 0)
        std::abort();
    return cron;
}

void
Parse(benchmark::State &state, const Case &which, bool is_utc)
{
    const pawl_zone *zone = zone_of(is_utc);
    for (auto _ : state)
        benchmark::DoNotOptimize(parse(which, zone).minute);
}

void
Next(benchmark::State &state, const Case &which, bool is_utc)
{
    const pawl_cron cron = parse(which, zone_of(is_utc));
    std::int64_t now = kNow;
    for (auto _ : state)
        benchmark::DoNotOptimize(pawl_cron_next(&cron, now += kStep));
}

void
ParseAndNext(benchmark::State &state, const Case &which, bool is_utc)
{
    const pawl_zone *zone = zone_of(is_utc);
    std::int64_t now = kNow;
    for (auto _ : state) {
        const pawl_cron cron = parse(which, zone);
        benchmark::DoNotOptimize(pawl_cron_next(&cron, now += kStep));
    }
}

void
Count(benchmark::State &state, const Case &which, bool is_utc)
{
    const pawl_cron cron = parse(which, zone_of(is_utc));
    for (auto _ : state)
        benchmark::DoNotOptimize(pawl_cron_count(&cron, kNow, kNow + kTenYears));
}

// Every minute (or second, where the expression has seconds) from now on, until one matches.
void
Naive(benchmark::State &state, const Case &which, bool is_utc)
{
    const pawl_cron cron = parse(which, zone_of(is_utc));
    const std::int64_t step = cron.nfields > 5 ? 1 : 60;
    std::int64_t now = kNow;
    for (auto _ : state) {
        std::int64_t at = (now += kStep) / step * step + step;
        while (!pawl_cron_match(&cron, at))
            at += step;
        benchmark::DoNotOptimize(at);
    }
}

} // namespace

int
main(int argc, char **argv)
{
    const bool is_smoke = std::getenv("PAWL_BENCH_SMOKE") != nullptr;
    for (const Case &which : kCases)
        for (bool is_utc : {true, false}) {
            const std::string end = std::string(is_utc ? "/utc/" : "/newyork/") + which.name;
            const auto add = [&](const char *name, auto *run) {
                benchmark::RegisterBenchmark((name + end).c_str(),
                    [run, which, is_utc](benchmark::State &state) { run(state, which, is_utc); });
            };
            add("Parse", Parse);
            add("Next", Next);
            add("ParseAndNext", ParseAndNext);
            add("Count", Count);
            if (which.naive && !is_smoke)
                add("Naive", Naive);
        }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
