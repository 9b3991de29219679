using Appliance.Core.Delta;
using FsCheck;
using FsCheck.Fluent;

namespace Core.Tests.Delta;

public sealed class PatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("patch-").FullName;

    [Fact]
    public void APatch_MakesTheNewPayload_FromAnyOldOne() =>
        Prop.ForAll(Arb.From(Pairs()), pair => Apply(Make(pair.Old, pair.New), pair.Old).AsSpan().SequenceEqual(pair.New)).Check(Config.QuickThrowOnFailure.WithMaxTest(25));

    [Fact]
    public async Task EqualInputs_GiveEqualPatches()
    {
        var (old, fresh) = Program(seed: 3, edits: 40);

        var first = await MakeAsync(old, fresh);
        var second = await MakeAsync(old, fresh);

        Assert.Equal(first, second);
    }

    [Fact]
    public async Task ARebuiltProgram_CostsASmallPartOfItself()
    {
        var (old, fresh) = Program(seed: 1, edits: 20);

        var patch = await MakeAsync(old, fresh);

        Assert.Equal(fresh, Apply(patch, old));
        Assert.InRange(patch.Length, 1, fresh.Length / 30);
    }

    [Fact]
    public async Task EqualPayloads_CostNextToNothing()
    {
        var (old, _) = Program(seed: 2, edits: 0);

        Assert.InRange((await MakeAsync(old, old)).Length, 1, 64);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 5000)]
    [InlineData(5000, 0)]
    [InlineData(1, 1)]
    public async Task EmptyAndTinyPayloads_AreNoExceptions(int oldLength, int newLength)
    {
        var (old, fresh) = (new byte[oldLength], new byte[newLength]);
        new Random(1).NextBytes(fresh);

        Assert.Equal(fresh, Apply(await MakeAsync(old, fresh), old));
    }

    [Fact]
    public async Task APayloadLongerThanTheWindow_IsMadeWhole()
    {
        // Literals and corrections beyond the 4 MiB the model remembers.
        var random = new Random(5);
        var old = new byte[9 << 20];
        random.NextBytes(old.AsSpan(0, 6 << 20));
        var fresh = old.ToArray();
        for (var i = 0; i < 3000; i++) fresh[random.Next(fresh.Length)] ^= (byte)random.Next(256);
        random.NextBytes(fresh.AsSpan(7 << 20, 100_000));

        Assert.Equal(fresh, Apply(await MakeAsync(old, fresh), old));
    }

    [Fact]
    public async Task ADevice_MayBeLongerThanThePayloadOnIt()
    {
        var (old, fresh) = Program(seed: 4, edits: 10);
        var patch = await MakeAsync(old, fresh);

        Assert.Equal(fresh, Apply(patch, [.. old, .. new byte[123_456]]));
    }

    [Fact]
    public async Task Refuses_ATruncatedPatch()
    {
        var (old, fresh) = Program(seed: 6, edits: 200);
        var patch = await MakeAsync(old, fresh);

        foreach (var length in new[] { 0, 10, PatchFormat.HeaderSize, PatchFormat.HeaderSize + 1, patch.Length / 2 })
            Assert.Throws<InvalidDataException>(() => Apply(patch[..length], old));
    }

    [Fact]
    public async Task Refuses_AShorterOldPayload()
    {
        var (old, fresh) = Program(seed: 7, edits: 5);
        var patch = await MakeAsync(old, fresh);

        Assert.Throws<InvalidDataException>(() => Apply(patch, old[..^1]));
    }

    [Fact]
    public void DamagedAndInventedPatches_EndInInvalidData_OrInBytesOfTheStatedLength()
    {
        var (old, fresh) = Program(seed: 8, edits: 100);
        var patch = Make(old, fresh);
        var random = new Random(9);
        for (var round = 0; round < 100; round++)
        {
            var damaged = patch.ToArray();
            if (round % 3 == 0) random.NextBytes(damaged.AsSpan(PatchFormat.HeaderSize));
            else for (var i = random.Next(1, 5); i > 0; i--) damaged[random.Next(round % 3 == 1 ? 8 : PatchFormat.HeaderSize, damaged.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                // A header that states gigabytes is the caller's to refuse: it knows the size it expects.
                if (Length(damaged) <= 4 << 20) Assert.Equal(Length(damaged), Apply(damaged, old).Length);
            }
            catch (InvalidDataException)
            {
            }
        }

        static long Length(byte[] patch) => BitConverter.ToInt64(patch, 8);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Gen<(byte[] Old, byte[] New)> Pairs() =>
        from seed in Gen.Choose(0, int.MaxValue)
        from size in Gen.Choose(0, 60_000)
        from edits in Gen.Choose(0, 30)
        select Edited(new Random(seed), size, edits);

    private static (byte[] Old, byte[] New) Edited(Random random, int size, int edits)
    {
        var old = new byte[size];
        // Few values, so that matches of every length and wrong ones come about.
        for (var i = 0; i < size; i++) old[i] = (byte)(random.Next(4) == 0 ? random.Next(256) : random.Next(3));
        var fresh = old.ToList();
        for (var i = 0; i < edits; i++)
        {
            var at = random.Next(fresh.Count + 1);
            var length = Math.Min(random.Next(2000), fresh.Count - at);
            switch (random.Next(4))
            {
                case 0: fresh.RemoveRange(at, length); break;
                case 1: fresh.InsertRange(at, Enumerable.Range(0, length).Select(_ => (byte)random.Next(256))); break;
                case 2: fresh.InsertRange(at, fresh.GetRange(random.Next(fresh.Count + 1 - length), length)); break;
                default: for (var k = 0; k < length; k += random.Next(1, 40)) fresh[at + k] += (byte)random.Next(3); break;
            }
        }
        return (old, [.. fresh]);
    }

    /// <summary>Something like a program: code with relative calls, and tables of addresses; the new one has a few functions grown.</summary>
    private static (byte[] Old, byte[] New) Program(int seed, int edits)
    {
        const int functions = 800;
        var random = new Random(seed);
        var bodies = Enumerable.Range(0, functions).Select(_ => Enumerable.Range(0, random.Next(20, 120)).Select(_ => (byte)random.Next(1, 200)).ToArray()).ToArray();
        var callees = Enumerable.Range(0, functions).Select(_ => random.Next(functions)).ToArray();
        var old = Link(bodies, callees);
        for (var i = 0; i < edits; i++) bodies[random.Next(functions)] = [.. Enumerable.Range(0, random.Next(20, 120)).Select(_ => (byte)random.Next(1, 200))];
        return (old, Link(bodies, callees));
    }

    private static byte[] Link(byte[][] bodies, int[] callees)
    {
        var starts = new int[bodies.Length];
        for (var i = 1; i < bodies.Length; i++) starts[i] = starts[i - 1] + bodies[i - 1].Length + 5;
        using var image = new MemoryStream();
        for (var i = 0; i < bodies.Length; i++)
        {
            image.Write(bodies[i]);
            image.WriteByte(0xE8);
            image.Write(BitConverter.GetBytes(starts[callees[i]] - ((int)image.Length + 4)));
        }
        image.SetLength((image.Length + 7) & ~7);
        image.Position = image.Length;
        foreach (var start in starts) image.Write(BitConverter.GetBytes(0x400000L + start));
        return image.ToArray();
    }

    private byte[] Make(byte[] old, byte[] fresh) => MakeAsync(old, fresh).GetAwaiter().GetResult();

    private async Task<byte[]> MakeAsync(byte[] old, byte[] fresh)
    {
        var (oldPath, newPath) = (Path.Combine(_folder, "old"), Path.Combine(_folder, "new"));
        await File.WriteAllBytesAsync(oldPath, old, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(newPath, fresh, TestContext.Current.CancellationToken);
        using var patch = new MemoryStream();
        await PatchWriter.WriteAsync(oldPath, newPath, patch, null, TestContext.Current.CancellationToken);
        return patch.ToArray();
    }

    private byte[] Apply(byte[] patch, byte[] old)
    {
        var path = Path.Combine(_folder, "base");
        File.WriteAllBytes(path, old);
        using var file = File.OpenHandle(path);
        var reader = new PatchReader(new MemoryStream(patch), file, old.Length);
        using var made = new MemoryStream();
        var buffer = new byte[10_007];
        for (int read; (read = reader.Read(buffer)) > 0;) made.Write(buffer, 0, read);
        return made.ToArray();
    }
}
