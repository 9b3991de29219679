using Appliance.UpdateClient.Chunks;
using Core.Tests.Chunks;
using FsCheck;
using FsCheck.Fluent;

namespace UpdateClient.Tests.Chunks;

public sealed class ChunkWayTests
{
    private static readonly byte[] Old = Sample.Payload(1, 400_000);

    [Fact]
    public void Any_edit_of_the_old_content_gives_the_new_payload() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => RoundTripAsync(seed).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(8));

    [Fact]
    public async Task Equal_content_downloads_no_more_than_the_last_chunk()
    {
        using var scene = await ChunkScene.PublishAsync(Old);
        var way = await scene.PlanAsync(scene.Seed("a", [.. Old, .. new byte[100_000]]));
        Assert.InRange(way.DownloadBytes, 0, 4096); // where the payload ends a chunk does, and the slot goes on
        Assert.Equal(Old, await ChunkScene.ReadAsync(way));
        Assert.Equal(way.DownloadBytes + way.ListBytes, scene.Fetched);
    }

    [Fact]
    public async Task A_device_with_nothing_gets_everything()
    {
        using var scene = await ChunkScene.PublishAsync(Old);
        var way = await scene.PlanAsync();
        Assert.Equal(scene.Index.FramesLength, way.DownloadBytes);
        Assert.Equal(Old, await ChunkScene.ReadAsync(way));
        Assert.Equal(scene.Data.Length, scene.Fetched);
    }

    [Fact]
    public async Task A_payload_moved_within_both_slots_is_copied()
    {
        using var scene = await ChunkScene.PublishAsync([.. Old[200_000..], .. Old[..200_000]]);
        var way = await scene.PlanAsync(scene.Seed("a", Old[..240_000]), scene.Seed("b", [5, .. Old[160_000..]], isTarget: true));
        Assert.InRange(way.DownloadBytes, 1, 100_000);
    }

    [Fact]
    public async Task The_target_serves_what_is_not_overwritten_yet()
    {
        var payload = Sample.Edit(Old, 77);
        using var scene = await ChunkScene.PublishAsync(payload);
        var target = scene.Seed("target", [.. new byte[20_000], .. Old], isTarget: true);
        var way = await scene.PlanAsync(target);
        Assert.InRange(way.DownloadBytes, 0, scene.Index.FramesLength / 2);
        await using var stream = await way.OpenAsync(0, CancellationToken.None);
        var buffer = new byte[64 << 10];
        long at = 0;
        for (int read; (read = await stream.ReadAsync(buffer)) > 0; at += read) RandomAccess.Write(target.File, buffer.AsSpan(0, read), at);
        Assert.Equal(payload, File.ReadAllBytes(scene["target"])[..payload.Length]);
        Assert.Equal(way.DownloadBytes, scene.Fetched - way.ListBytes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    [InlineData(200_001)]
    [InlineData(349_999)]
    [InlineData(350_000)]
    public async Task A_resume_at_any_place_gives_the_rest(int offset)
    {
        var payload = Sample.Edit(Old, 3).Concat(Sample.Payload(9, 350_000)).Take(350_000).ToArray();
        using var scene = await ChunkScene.PublishAsync(payload);
        var target = scene.Seed("target", [.. payload[..offset], .. Old[Math.Min(offset, Old.Length)..]], isTarget: true);
        var seed = scene.Seed("a", Old);
        Assert.Equal(payload[offset..], await ChunkScene.ReadAsync(await scene.PlanAsync(offset, seed, target), offset));
        Assert.Equal(payload[offset..], await ChunkScene.ReadAsync(await scene.PlanAsync(seed, target), offset));
    }

    [Fact]
    public async Task A_seed_that_changed_since_it_was_read_costs_a_fetch_and_nothing_else()
    {
        var payload = Sample.Edit(Old, 5);
        using var scene = await ChunkScene.PublishAsync(payload);
        var seed = scene.Seed("a", Old);
        var way = await scene.PlanAsync(seed);
        var random = new Random(6);
        for (var i = 0; i < 20; i++) RandomAccess.Write(seed.File, [(byte)random.Next(256), (byte)random.Next(256)], random.Next(Old.Length - 2));
        Assert.Equal(payload, await ChunkScene.ReadAsync(way));
        Assert.True(scene.Fetched > way.DownloadBytes + way.ListBytes);
    }

    [Fact]
    public async Task A_seed_that_became_shorter_costs_a_fetch_and_nothing_else()
    {
        using var scene = await ChunkScene.PublishAsync(Old);
        var seed = scene.Seed("a", Old);
        var way = await scene.PlanAsync(seed);
        RandomAccess.SetLength(seed.File, 100_000);
        Assert.Equal(Old, await ChunkScene.ReadAsync(way));
    }

    [Fact]
    public async Task Refuses_damaged_data_before_a_wrong_byte_is_handed_on()
    {
        var payload = Sample.Edit(Old, 8);
        using var scene = await ChunkScene.PublishAsync(payload);
        var random = new Random(3);
        for (var run = 0; run < 30; run++)
        {
            var way = await scene.PlanAsync(scene.Seed("a", Old[..200_000]));
            var at = random.Next((int)scene.Index.FramesLength);
            var value = scene.Data[at];
            scene.Data[at] ^= (byte)random.Next(1, 256);
            await ReadsRightAsync(scene, way);
            scene.Data[at] = value;
        }
    }

    [Theory]
    [InlineData("short")]
    [InlineData("long")]
    [InlineData("missing")]
    [InlineData("zeros")]
    [InlineData("noise")]
    public async Task Refuses_a_source_that_lies(string how)
    {
        using var scene = await ChunkScene.PublishAsync(Old);
        var way = await scene.PlanAsync(scene.Seed("a", Old[..100_000]));
        scene.Answer = (range, bytes) =>
        {
            if (how == "noise") new Random(range.Length).NextBytes(bytes);
            return how switch { "short" => bytes[1..], "long" => [.. bytes, 0], "missing" => null, "zeros" => new byte[bytes.Length], _ => bytes };
        };
        Assert.False(await ReadsRightAsync(scene, way));
    }

    [Theory]
    [InlineData("zeros")]
    [InlineData("noise")]
    public async Task Refuses_damaged_lists(string how)
    {
        using var scene = await ChunkScene.PublishAsync(Old);
        scene.Answer = (range, bytes) =>
        {
            if (how == "noise") new Random(range.Length).NextBytes(bytes);
            else Array.Clear(bytes);
            return bytes;
        };
        await Assert.ThrowsAsync<InvalidDataException>(() => scene.PlanAsync(scene.Seed("a", Old[..100_000])));
    }

    /// <summary>True when all bytes came, false when there was an error; never a wrong byte.</summary>
    private static async Task<bool> ReadsRightAsync(ChunkScene scene, ChunkWay way)
    {
        await using var stream = await way.OpenAsync(0, CancellationToken.None);
        var buffer = new byte[10_000];
        var at = 0;
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer)) > 0; at += read)
                Assert.True(scene.Payload.AsSpan(at, read).SequenceEqual(buffer.AsSpan(0, read)), $"wrong bytes at {at}");
        }
        catch (InvalidDataException)
        {
            return false;
        }
        Assert.Equal(scene.Payload.Length, at);
        return true;
    }

    private static async Task RoundTripAsync(int seed)
    {
        var random = new Random(seed);
        var old = Sample.Payload(seed, random.Next(1, 150_000));
        var payload = Sample.Edit(old, seed);
        using var scene = await ChunkScene.PublishAsync(payload);
        var way = await scene.PlanAsync(scene.Seed("a", old), scene.Seed("b", Sample.Edit(old, seed + 1)));
        Assert.Equal(payload, await ChunkScene.ReadAsync(way));
        Assert.Equal(way.DownloadBytes + way.ListBytes, scene.Fetched);
    }
}
