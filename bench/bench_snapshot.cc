// bench_snapshot.cc: reading the state of one task while another thread changes it or not: an epoch
// section and an immutable snapshot, against the same fields under a mutex and under a rwlock.
//
// Names are Read<Rival>/writer/threads:readers; writer 1: a thread changes the task as fast as it
// can. Time is for a thousand reads and by the wall clock; changes_per_s is what the writer
// reached. Get is what pawl_get() does but for the clock: hash, look up, count up a view,
// release it.
#include "snapshot_cover.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <pthread.h>
#include <thread>

namespace
{

constexpr std::size_t kReads = 1000;

class Epoch
{
  public:
    using Thread = pawl_epoch_thread *;

    Thread join()
    {
        return pawl_snapshot_cover_join(cover_.get());
    }
    void leave(Thread thread)
    {
        pawl_snapshot_cover_leave(cover_.get(), thread);
    }
    void read(Thread thread, pawl_snapshot_copy *copy)
    {
        pawl_snapshot_cover_read(cover_.get(), thread, kReads, copy);
    }
    void get(Thread thread)
    {
        pawl_snapshot_cover_get(cover_.get(), thread, kReads);
    }
    void change(Thread thread)
    {
        pawl_snapshot_cover_change(cover_.get(), thread, kReads);
    }

  private:
    std::unique_ptr<pawl_snapshot_cover, void (*)(pawl_snapshot_cover *)> cover_{
        pawl_snapshot_cover_new(), pawl_snapshot_cover_free};
};

struct MutexLock {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    void shared()
    {
        pthread_mutex_lock(&lock);
    }
    void exclusive()
    {
        pthread_mutex_lock(&lock);
    }
    void unlock()
    {
        pthread_mutex_unlock(&lock);
    }
};

struct RwLock {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

    void shared()
    {
        pthread_rwlock_rdlock(&lock);
    }
    void exclusive()
    {
        pthread_rwlock_wrlock(&lock);
    }
    void unlock()
    {
        pthread_rwlock_unlock(&lock);
    }
};

template <typename Lock>
class Guarded
{
  public:
    using Thread = int;

    Thread join()
    {
        return 0;
    }
    void leave(Thread)
    {
    }
    void read(Thread, pawl_snapshot_copy *copy)
    {
        for (std::size_t i = 0; i < kReads; i++) {
            lock_.shared();
            *copy = state_;
            lock_.unlock();
            benchmark::DoNotOptimize(copy);
            benchmark::ClobberMemory();
        }
    }
    // The edits of a start and an end of a run, in place.
    void change(Thread)
    {
        for (std::size_t i = 0; i < kReads; i++) {
            lock_.exclusive();
            state_.version++;
            state_.updated_ns++;
            state_.due_ns++;
            state_.previous_ns++;
            state_.run_count++;
            state_.running ^= 1;
            state_.status ^= 1;
            lock_.unlock();
            benchmark::ClobberMemory();
        }
    }

  private:
    Lock lock_;
    pawl_snapshot_copy state_{};
};

using Mutex = Guarded<MutexLock>;
using Rwlock = Guarded<RwLock>;

// Changes the task until it is told to end.
template <typename Rival>
class Writer
{
  public:
    explicit Writer(Rival &rival) : thread_([this, &rival] {
        auto thread = rival.join();
        auto begin = std::chrono::steady_clock::now();

        while (!ending_.load(std::memory_order_relaxed)) {
            rival.change(thread);
            nchanges_ += kReads;
        }
        seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
        rival.leave(thread);
    })
    {
    }
    double stop()
    {
        ending_.store(true, std::memory_order_relaxed);
        thread_.join();
        return static_cast<double>(nchanges_) / seconds_.count();
    }

  private:
    std::atomic<bool> ending_{false};
    std::size_t nchanges_ = 0;
    std::chrono::duration<double> seconds_{};
    std::thread thread_;
};

// What the threads of one benchmark share: made before they start, freed when they have ended.
template <typename Rival>
struct Shared {
    static inline std::unique_ptr<Rival> rival;
    static inline std::unique_ptr<Writer<Rival>> writer;

    static void begin(const benchmark::State &state)
    {
        rival = std::make_unique<Rival>();
        if (state.range(0))
            writer = std::make_unique<Writer<Rival>>(*rival);
    }
    static void end(const benchmark::State &)
    {
        writer.reset();
        rival.reset();
    }
};

template <typename Rival>
void
report(benchmark::State &state)
{
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kReads));
    if (state.thread_index() == 0 && Shared<Rival>::writer)
        state.counters["changes_per_s"] = Shared<Rival>::writer->stop();
}

template <typename Rival>
void
BM_Read(benchmark::State &state)
{
    auto thread = Shared<Rival>::rival->join();
    pawl_snapshot_copy copy;

    for (auto _ : state)
        Shared<Rival>::rival->read(thread, &copy);
    Shared<Rival>::rival->leave(thread);
    report<Rival>(state);
}

void
BM_Get(benchmark::State &state)
{
    auto thread = Shared<Epoch>::rival->join();

    for (auto _ : state)
        Shared<Epoch>::rival->get(thread);
    Shared<Epoch>::rival->leave(thread);
    report<Epoch>(state);
}

template <typename Rival>
void
BM_Change(benchmark::State &state)
{
    auto thread = Shared<Rival>::rival->join();

    for (auto _ : state)
        Shared<Rival>::rival->change(thread);
    Shared<Rival>::rival->leave(thread);
    report<Rival>(state);
}

template <typename Rival>
void
add(const std::string &rival)
{
    for (int readers : {1, 2}) {
        benchmark::RegisterBenchmark(("Read<" + rival + ">").c_str(), BM_Read<Rival>)
            ->Setup(Shared<Rival>::begin)->Teardown(Shared<Rival>::end)
            ->Arg(0)->Arg(1)->Threads(readers)->UseRealTime();
    }
    benchmark::RegisterBenchmark(("Change<" + rival + ">").c_str(), BM_Change<Rival>)
        ->Setup(Shared<Rival>::begin)->Teardown(Shared<Rival>::end)->Arg(0)->UseRealTime();
}

} // namespace

int
main(int argc, char **argv)
{
    add<Epoch>("Epoch");
    add<Mutex>("Mutex");
    add<Rwlock>("Rwlock");
    benchmark::RegisterBenchmark("Get", BM_Get)
        ->Setup(Shared<Epoch>::begin)->Teardown(Shared<Epoch>::end)
        ->Arg(0)->Arg(1)->UseRealTime();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
