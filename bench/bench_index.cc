// bench_index.cc: the index from id to task (1,024 shards of ck_hs) against a std::unordered_map
// under one mutex, with ids of 20 bytes, on one thread.
//
// Names are Case<Rival>/tasks. Put goes from empty to full; Get, Miss and Remove go through all in
// scattered order. WorstPut times each put on the way to full, WorstChurn each put of a new id and
// each removal of the oldest at a million live ones. All times are processor time of the thread, so
// that a busy machine does not spoil them. Counters: ns per operation, worst_us the longest one,
// and wall_us the same by the wall clock.
#include "index_cover.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <time.h>
#include <unordered_map>

namespace
{

constexpr std::uint64_t kStride = 2654435761; // prime to every size here

struct CoverFree {
    void operator()(pawl_index_cover *cover) const
    {
        pawl_index_cover_free(cover);
    }
};

class Index
{
  public:
    explicit Index(std::size_t n) : cover_(pawl_index_cover_new(n))
    {
        if (!cover_)
            std::abort();
    }
    bool put(std::uint64_t number)
    {
        return pawl_index_cover_put(cover_.get(), number);
    }
    bool has(std::uint64_t number)
    {
        return pawl_index_cover_has(cover_.get(), number);
    }
    void remove(std::uint64_t number)
    {
        pawl_index_cover_remove(cover_.get(), number);
    }
    void settle()
    {
        pawl_index_cover_settle(cover_.get());
    }

  private:
    std::unique_ptr<pawl_index_cover, CoverFree> cover_;
};

// Keys lie in an array, as those of the index do.
class Map
{
  public:
    explicit Map(std::size_t n) : n_(n), keys_(new Key[n])
    {
    }
    bool put(std::uint64_t number)
    {
        Key &key = keys_[number % n_];

        pawl_bench_id(number, key.bytes);
        std::lock_guard<std::mutex> guard(lock_);
        return map_.emplace(view(key), &key).second;
    }
    bool has(std::uint64_t number)
    {
        Key key;

        pawl_bench_id(number, key.bytes);
        std::lock_guard<std::mutex> guard(lock_);
        return map_.find(view(key)) != map_.end();
    }
    void remove(std::uint64_t number)
    {
        std::lock_guard<std::mutex> guard(lock_);
        map_.erase(view(keys_[number % n_]));
    }
    void settle()
    {
    }

  private:
    struct Key {
        char bytes[PAWL_BENCH_ID_LEN];
    };

    static std::string_view view(const Key &key)
    {
        return {key.bytes, sizeof key.bytes};
    }

    std::size_t n_;
    std::unique_ptr<Key[]> keys_;
    std::mutex lock_;
    std::unordered_map<std::string_view, Key *> map_;
};

std::int64_t
clock_ns(clockid_t clock)
{
    timespec at;

    clock_gettime(clock, &at);
    return at.tv_sec * std::int64_t{1000000000} + at.tv_nsec;
}

std::int64_t
cpu_ns()
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

std::size_t
rounds(std::size_t n)
{
    return std::max<std::size_t>(1, 1000000 / n);
}

// Calls op with each number below n, in order or scattered, and gives the time of all.
template <typename Op>
std::int64_t
each(std::size_t n, bool is_scattered, Op op)
{
    std::int64_t begin = cpu_ns();

    for (std::size_t i = 0; i < n; i++)
        op(is_scattered ? i * kStride % n : i);
    return cpu_ns() - begin;
}

template <typename Rival>
void
fill(Rival &rival, std::size_t n)
{
    each(n, false, [&](std::uint64_t number) {
        if (!rival.put(number))
            std::abort();
    });
}

void
report(benchmark::State &state, std::int64_t elapsed, std::size_t n)
{
    state.SetIterationTime(static_cast<double>(elapsed) / 1e9);
    state.counters["ns"] = static_cast<double>(elapsed) / static_cast<double>(n);
}

template <typename Rival>
void
BM_Put(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));

    for (auto _ : state) {
        std::int64_t elapsed = 0;

        for (std::size_t round = 0; round < rounds(n); round++) {
            Rival rival(n);
            std::int64_t begin = cpu_ns();

            fill(rival, n);
            elapsed += cpu_ns() - begin;
        }
        report(state, elapsed, n * rounds(n));
    }
}

// Looks up numbers from `from` on: from 0 they are there, from n on they are not.
template <typename Rival>
void
look_up(benchmark::State &state, bool is_there)
{
    std::size_t n = static_cast<std::size_t>(state.range(0)), nfound = 0;
    std::uint64_t from = is_there ? 0 : n;
    Rival rival(n);

    fill(rival, n);
    for (auto _ : state) {
        std::int64_t elapsed = 0;

        for (std::size_t round = 0; round < rounds(n); round++)
            elapsed += each(n, true, [&](std::uint64_t number) {
                nfound += rival.has(from + number);
            });
        report(state, elapsed, n * rounds(n));
        if (nfound != (is_there ? n * rounds(n) : 0))
            std::abort();
    }
}

template <typename Rival>
void
BM_Get(benchmark::State &state)
{
    look_up<Rival>(state, true);
}

template <typename Rival>
void
BM_Miss(benchmark::State &state)
{
    look_up<Rival>(state, false);
}

template <typename Rival>
void
BM_Remove(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));

    for (auto _ : state) {
        std::int64_t elapsed = 0;

        for (std::size_t round = 0; round < rounds(n); round++) {
            Rival rival(n);

            fill(rival, n);
            elapsed += each(n, true, [&](std::uint64_t number) { rival.remove(number); });
        }
        report(state, elapsed, n * rounds(n));
    }
}

// The longest call so far.
struct Worst {
    std::int64_t cpu = 0, wall = 0;

    template <typename Op>
    void time(Op op)
    {
        std::int64_t wall_begin = clock_ns(CLOCK_MONOTONIC);
        std::int64_t cpu_begin = cpu_ns();

        op();
        cpu = std::max(cpu, cpu_ns() - cpu_begin);
        wall = std::max(wall, clock_ns(CLOCK_MONOTONIC) - wall_begin);
    }
    void report(benchmark::State &state, const std::string &what) const
    {
        state.counters[what + "worst_us"] = static_cast<double>(cpu) / 1e3;
        state.counters[what + "wall_us"] = static_cast<double>(wall) / 1e3;
    }
};

template <typename Rival>
void
BM_WorstPut(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));

    for (auto _ : state) {
        Rival rival(n);
        Worst worst;

        for (std::uint64_t number = 0; number < n; number++)
            worst.time([&] {
                if (!rival.put(number))
                    std::abort();
            });
        state.SetIterationTime(static_cast<double>(worst.cpu) / 1e9);
        worst.report(state, "");
    }
}

// n live tasks; 5 n times a new one comes and the oldest goes, as in a daemon that runs for ever.
// A lookup of an id that is not there is timed at the start and at the end.
template <typename Rival>
void
BM_WorstChurn(benchmark::State &state)
{
    std::size_t n = static_cast<std::size_t>(state.range(0));

    for (auto _ : state) {
        Rival rival(2 * n);
        Worst put, removal;
        auto miss = [&](std::uint64_t number) { benchmark::DoNotOptimize(rival.has(~number)); };
        std::int64_t before, after, elapsed, middle;

        fill(rival, n);
        before = each(n, true, miss);
        elapsed = cpu_ns();
        for (std::uint64_t number = n; number < 4 * n; number++) {
            if (!rival.put(number))
                std::abort();
            rival.remove(number - n);
        }
        middle = cpu_ns();
        for (std::uint64_t number = 4 * n; number < 6 * n; number++) {
            put.time([&] { rival.put(number); });
            removal.time([&] { rival.remove(number - n); });
        }
        after = each(n, true, miss);
        rival.settle();
        report(state, middle - elapsed, 3 * n);
        put.report(state, "put_");
        removal.report(state, "remove_");
        state.counters["miss_before_ns"] =
            static_cast<double>(before) / static_cast<double>(n);
        state.counters["miss_after_ns"] = static_cast<double>(after) / static_cast<double>(n);
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
        {"Put", BM_Put<Rival>},       {"Get", BM_Get<Rival>},
        {"Miss", BM_Miss<Rival>},     {"Remove", BM_Remove<Rival>},
        {"WorstPut", BM_WorstPut<Rival>},
    };
    bool is_smoke = std::getenv("PAWL_BENCH_SMOKE") != nullptr;

    for (const Case &each : cases) {
        auto *added = benchmark::RegisterBenchmark(
            (each.name + ("<" + rival + ">")).c_str(), each.run);

        added->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond)->Arg(1000);
        if (!is_smoke)
            added->Arg(1000000)->Arg(10000000);
    }
    benchmark::RegisterBenchmark(("WorstChurn<" + rival + ">").c_str(), BM_WorstChurn<Rival>)
        ->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond)
        ->Arg(is_smoke ? 1000 : 1000000);
}

} // namespace

int
main(int argc, char **argv)
{
    add<Index>("Index");
    add<Map>("Map");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
