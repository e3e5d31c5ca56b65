// bench_wheel.cc: the timing wheel against heaps of arity 2 and 4, behind one small
// interface.
//
// Names are Case<Rival>/pending/span in seconds; due times are uniform over the span.
// Sizes over 100,000 are left out when PAWL_BENCH_SMOKE is set. Counters: ns is the time
// per timer; worst_ms the longest tick of 1 ms in processor time of the thread, so that a
// busy machine does not spoil it, and wall_ms the same by the wall clock; bytes is what
// the wheel holds per timer.
//
//     bench_wheel --benchmark_filter='/1000000/'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <time.h>
#include <vector>

extern "C" {
#include "wheel.h"
}

#include "heap.h"

namespace
{

constexpr std::int64_t kMs = 1000000;
constexpr std::int64_t kSec = 1000 * kMs;
constexpr std::size_t kBatch = 1024;

class Wheel
{
  public:
    Wheel()
    {
        if (pawl_wheel_new(0, &wheel_) != 0)
            std::abort();
    }
    ~Wheel()
    {
        pawl_wheel_free(wheel_);
    }
    Wheel(const Wheel &) = delete;
    Wheel &operator=(const Wheel &) = delete;

    std::uint32_t insert(std::int64_t due, void *item)
    {
        std::uint32_t timer;

        if (pawl_wheel_insert(wheel_, due, item, &timer) != 0)
            std::abort();
        return timer;
    }
    void *cancel(std::uint32_t timer)
    {
        return pawl_wheel_cancel(wheel_, timer);
    }
    std::size_t expire(std::int64_t now, void **items, std::size_t max)
    {
        return pawl_wheel_expire(wheel_, now, items, max);
    }
    std::int64_t next() const
    {
        return pawl_wheel_next(wheel_);
    }
    std::size_t count() const
    {
        return pawl_wheel_count(wheel_);
    }
    double bytes() const
    {
        struct pawl_wheel_stats stats;

        pawl_wheel_stats(wheel_, &stats);
        return static_cast<double>(stats.bytes);
    }

  private:
    struct pawl_wheel *wheel_ = nullptr;
};

using Heap2 = TimerHeap<2>;
using Heap4 = TimerHeap<4>;

std::int64_t
clock_ns(clockid_t clock)
{
    timespec at;

    clock_gettime(clock, &at);
    return at.tv_sec * kSec + at.tv_nsec;
}

// Processor time of this thread: a busy machine does not spoil it.
std::int64_t
cpu_ns()
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

std::vector<std::int64_t>
random_dues(std::size_t n, std::int64_t span, std::size_t seed)
{
    std::mt19937_64 random(seed);
    std::vector<std::int64_t> dues(n);

    for (auto &due : dues)
        due = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(span));
    return dues;
}

// Arms a timer for each due time, counted from now.
template <typename Rival>
void
fill(Rival &rival, std::int64_t now, const std::vector<std::int64_t> &dues,
     std::vector<std::uint32_t> *timers)
{
    for (std::size_t i = 0; i < dues.size(); i++) {
        void *item = reinterpret_cast<void *>(i + 1);
        std::uint32_t timer = rival.insert(now + dues[i], item);

        if (timers)
            (*timers)[i] = timer;
    }
}

// All that is due by now; what a ticker does when it wakes.
template <typename Rival>
std::size_t
tick(Rival &rival, std::int64_t now)
{
    static void *items[kBatch];
    std::size_t n = 0;

    do {
        n += rival.expire(now, items, kBatch);
        benchmark::DoNotOptimize(items[0]);
    } while (rival.next() <= now);
    return n;
}

// Small sizes are repeated, each time with other due times, lest branches become
// predictable.
std::size_t
rounds(std::size_t n)
{
    return std::max<std::size_t>(1, 1000000 / n);
}

void
report(benchmark::State &state, std::int64_t elapsed, std::size_t n)
{
    state.SetIterationTime(static_cast<double>(elapsed) / 1e9);
    state.counters["ns"] =
        benchmark::Counter(static_cast<double>(elapsed) / static_cast<double>(n));
}

// Arms n timers and lets them run out, the clock moving by 1 ms: insert_ns and expire_ns.
template <typename Rival>
void
BM_Life(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::int64_t span = state.range(1) * kSec;
    double total = static_cast<double>(n * rounds(n));

    for (auto _ : state) {
        auto rival = std::make_unique<Rival>();
        std::int64_t inserting = 0, expiring = 0, now = 0;

        for (std::size_t round = 0; round < rounds(n); round++) {
            std::vector<std::int64_t> dues = random_dues(n, span, round);
            std::int64_t begin = cpu_ns();

            fill(*rival, now, dues, nullptr);
            std::int64_t middle = cpu_ns();
            if constexpr (std::is_same_v<Rival, Wheel>)
                state.counters["bytes"] = rival->bytes() / static_cast<double>(n);
            while (rival->count() > 0) {
                /* As the ticker does: asleep until the next due time, at least a tick. */
                now = std::max(now + kMs, rival->next());
                tick(*rival, now);
            }
            inserting += middle - begin;
            expiring += cpu_ns() - middle;
        }
        report(state, inserting + expiring, n * rounds(n));
        state.counters["insert_ns"] = static_cast<double>(inserting) / total;
        state.counters["expire_ns"] = static_cast<double>(expiring) / total;
    }
}

// The same with each tick timed: the longest one.
template <typename Rival>
void
BM_WorstTick(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::vector<std::int64_t> dues = random_dues(n, state.range(1) * kSec, 0);

    for (auto _ : state) {
        auto rival = std::make_unique<Rival>();
        std::int64_t worst = 0, worst_wall = 0;

        fill(*rival, 0, dues, nullptr);
        for (std::int64_t now = 0; rival->count() > 0; now += kMs) {
            std::int64_t wall = clock_ns(CLOCK_MONOTONIC);
            std::int64_t begin = cpu_ns();

            tick(*rival, now);
            worst = std::max(worst, cpu_ns() - begin);
            worst_wall = std::max(worst_wall, clock_ns(CLOCK_MONOTONIC) - wall);
        }
        state.SetIterationTime(static_cast<double>(worst) / 1e9);
        state.counters["worst_ms"] = static_cast<double>(worst) / 1e6;
        state.counters["wall_ms"] = static_cast<double>(worst_wall) / 1e6;
    }
}

// Cancels all in random order.
template <typename Rival>
void
BM_Cancel(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::vector<std::uint32_t> timers(n);

    for (auto _ : state) {
        auto rival = std::make_unique<Rival>();
        std::int64_t elapsed = 0;

        for (std::size_t round = 0; round < rounds(n); round++) {
            fill(*rival, 0, random_dues(n, state.range(1) * kSec, round), &timers);
            std::shuffle(timers.begin(), timers.end(), std::mt19937_64(round));
            std::int64_t begin = cpu_ns();
            for (std::uint32_t timer : timers)
                benchmark::DoNotOptimize(rival->cancel(timer));
            elapsed += cpu_ns() - begin;
        }
        report(state, elapsed, n * rounds(n));
    }
}

// Pending stays at n: a random timer is cancelled and armed anew, as time limits are.
template <typename Rival>
void
BM_Rearm(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::size_t nops = std::max<std::size_t>(n, 1000000);
    std::vector<std::int64_t> dues = random_dues(n, state.range(1) * kSec, 0);
    std::vector<std::uint32_t> timers(n);
    auto rival = std::make_unique<Rival>();
    std::mt19937_64 random(2);

    fill(*rival, 0, dues, &timers);
    for (auto _ : state) {
        std::int64_t begin = cpu_ns();

        for (std::size_t op = 0; op < nops; op++) {
            std::size_t i = random() % n;
            void *item = rival->cancel(timers[i]);

            timers[i] = rival->insert(dues[op % n], item);
        }
        report(state, cpu_ns() - begin, nops);
    }
}

// Pending stays at n: each timer that fires is armed anew. The clock goes to the next due
// time, to the nanosecond, but not more often than every 50 us.
template <typename Rival>
void
BM_Hold(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::int64_t span = state.range(1) * kSec;
    std::vector<std::int64_t> dues = random_dues(n, span, 0);
    std::vector<void *> items(kBatch);
    auto rival = std::make_unique<Rival>();
    std::int64_t now = 0;
    std::size_t op = 0;

    fill(*rival, 0, dues, nullptr);
    for (auto _ : state) {
        std::int64_t begin = cpu_ns();
        std::size_t nfired = 0;

        while (nfired < std::max<std::size_t>(n, 200000)) {
            now = std::max(now + 50000, rival->next());
            do {
                std::size_t nitems = rival->expire(now, items.data(), kBatch);

                for (std::size_t i = 0; i < nitems; i++)
                    rival->insert(now + 1 + dues[op++ % n], items[i]);
                nfired += nitems;
            } while (rival->next() <= now);
        }
        report(state, cpu_ns() - begin, nfired);
    }
}

// All n due at the same nanosecond.
template <typename Rival>
void
BM_Burst(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));
    std::vector<std::int64_t> dues(n, state.range(1) * kSec);

    for (auto _ : state) {
        auto rival = std::make_unique<Rival>();

        fill(*rival, 0, dues, nullptr);
        std::int64_t begin = cpu_ns();
        tick(*rival, dues[0]);
        report(state, cpu_ns() - begin, n);
    }
}

template <typename Rival>
void
add(const std::string &rival)
{
    struct Case {
        const char *name;
        void (*run)(benchmark::State &);
    };
    const Case cases[] = {
        {"Life", BM_Life<Rival>},     {"WorstTick", BM_WorstTick<Rival>},
        {"Cancel", BM_Cancel<Rival>}, {"Rearm", BM_Rearm<Rival>},
        {"Hold", BM_Hold<Rival>},
    };
    std::vector<std::vector<std::int64_t>> sizes = {{1000, 1}};

    if (!std::getenv("PAWL_BENCH_SMOKE"))
        sizes = {{1000, 1}, {1000, 10}, {1000000, 10}, {10000000, 60}, {10000000, 3600}};
    for (const Case &each : cases) {
        auto name = each.name + ("<" + rival + ">");

        for (const auto &size : sizes)
            benchmark::RegisterBenchmark(name.c_str(), each.run)
                ->Args(size)->UseManualTime()->Iterations(1)
                ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark(("Burst<" + rival + ">").c_str(), BM_Burst<Rival>)
        ->Args({100000, 1})->UseManualTime()->Iterations(1)
        ->Unit(benchmark::kMillisecond);
}

} // namespace

int
main(int argc, char **argv)
{
    add<Wheel>("Wheel");
    add<Heap2>("Heap2");
    add<Heap4>("Heap4");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
