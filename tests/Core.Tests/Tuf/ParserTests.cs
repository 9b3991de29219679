using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Tuf;
using FsCheck;
using FsCheck.Fluent;

namespace Core.Tests.Tuf;

/// <summary>
/// The parsers take any bytes: they give metadata or a <see cref="UserError"/>, in bounded time and memory. The files of
/// <c>Corpus</c> are inputs that once were, or could have been, trouble; a new one is added by putting it there.
/// </summary>
public sealed class ParserTests
{
    private static readonly string Corpus = Path.Combine(AppContext.BaseDirectory, "Tuf", "Corpus");

    private static readonly Func<ReadOnlyMemory<byte>, SignedMetadata>[] Parsers =
    [
        bytes => RootMetadata.Parse(bytes, "x.json"),
        bytes => TimestampMetadata.Parse(bytes, "x.json"),
        bytes => SnapshotMetadata.Parse(bytes, "x.json"),
        bytes => TargetsMetadata.Parse(bytes, "x.json"),
    ];

    /// <summary>Gives the input to every parser; the number of those that accepted it.</summary>
    private static int ParseAll(byte[] input)
    {
        var accepted = 0;
        foreach (var parse in Parsers)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                parse(input);
                accepted++;
            }
            catch (UserError e)
            {
                Assert.False(string.IsNullOrWhiteSpace(e.Hint));
                Assert.InRange(e.Message.Length, 10, 2_000);
            }
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 1_000_000 + 100L * input.Length, $"{allocated} bytes for an input of {input.Length}");
        }
        return accepted;
    }

    public static TheoryData<string> CorpusFiles() => [.. Directory.GetFiles(Corpus).Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(CorpusFiles))]
    public void TheCorpus_IsReadOrRefused(string name)
    {
        var accepted = ParseAll(File.ReadAllBytes(Path.Combine(Corpus, name)));

        Assert.Equal(name.StartsWith("valid-", StringComparison.Ordinal) ? 1 : 0, accepted);
    }

    [Fact]
    public void AnyBytes_AreReadOrRefused() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), input => ParseAll(input ?? []) >= 0));

    [Fact]
    public void MutatedFiles_AreReadOrRefused()
    {
        var seeds = Directory.GetFiles(Corpus).Select(File.ReadAllBytes).ToArray();
        var mutation = from seed in Gen.Elements(seeds)
                       from edits in Gen.ListOf(from kind in Gen.Choose(0, 4)
                                                from at in Gen.Choose(0, Math.Max(0, seed.Length - 1))
                                                from length in Gen.Choose(1, 40)
                                                from value in Gen.Elements("\"", "\\", "{", "[", "}", "-", "0", "9999999999999999999", "1e9", "null", "\\ud800", "\0", ",", "\"version\":1,")
                                                select (kind, at, length, value))
                       select Mutate(seed, edits.Take(8));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3_000), Prop.ForAll(mutation.ToArbitrary(), input => ParseAll(input) >= 0));
    }

    private static byte[] Mutate(byte[] seed, IEnumerable<(int Kind, int At, int Length, string Value)> edits)
    {
        var bytes = seed.ToList();
        foreach (var (kind, at, length, value) in edits)
        {
            if (bytes.Count == 0) break;
            var start = at % bytes.Count;
            var count = Math.Min(length, bytes.Count - start);
            switch (kind)
            {
                case 0: bytes[start] ^= (byte)(1 << (length % 8)); break;
                case 1: bytes.RemoveRange(start, count); break;
                case 2: bytes.InsertRange(start, Encoding.UTF8.GetBytes(value)); break;
                case 3: bytes.InsertRange(start, bytes.GetRange(start, count)); break;
                default: bytes.RemoveRange(start, bytes.Count - start); break;
            }
        }
        return [.. bytes];
    }

    [Theory]
    [InlineData("{\"a\":")]
    [InlineData("[")]
    public void Refuses_DeepNesting(string opening) => Assert.Equal(0, ParseAll(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(opening, 100_000 / opening.Length)))));

    [Fact]
    public void Refuses_FilesAboveTheLimit_BeforeReadingThem()
    {
        var input = new byte[TufLimits.Targets + 1];
        Array.Fill(input, (byte)' ');

        Assert.Equal(0, ParseAll(input));
    }

    [Fact]
    public void ManyKeysAndSignatures_AreCountedInLinearTime()
    {
        var ids = Enumerable.Range(0, 12_000).Select(i => i.ToString("x6")).ToArray();
        var signatures = string.Join(',', ids.Take(6_000).Select(id => $$"""{"keyid":"{{id}}","sig":""}"""));
        const string role = """{"keyids":[],"threshold":1}""";
        var json = "{\"signatures\":[" + signatures + """],"signed":{"_type":"root","spec_version":"1.0.0","version":1,"expires":"2030-01-01T00:00:00Z","keys":{},"roles":{"root":"""
            + role.Replace("[]", $"[\"{string.Join("\",\"", ids)}\"]", StringComparison.Ordinal) + $",\"timestamp\":{role},\"snapshot\":{role},\"targets\":{role}" + "}}}";

        var error = Assert.Throws<UserError>(() => new TrustedMetadata(Encoding.UTF8.GetBytes(json), "root.json", null));

        Assert.Contains("0 of the 1", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"b":1,"a":"x"}""", """{"a":"x","b":1}""")]
    [InlineData("""{ "a" : [ 1 , -2, true , null ] }""", """{"a":[1,-2,true,null]}""")]
    [InlineData("""{"a":"tab\there \"q\" \\ \u00e9 \/ \u003c"}""", "{\"a\":\"tab\there \\\"q\\\" \\\\ é / <\"}")]
    [InlineData("""{"\ud83d\ude00":1,"\uffee":2}""", "{\"\uffee\":2,\"😀\":1}")] // by code point, not by UTF-16 unit
    [InlineData("{}", "{}")]
    [InlineData("[]", "[]")]
    public void CanonicalJson_IsTheFormOfOlpc(string json, string canonical) =>
        Assert.Equal(canonical, Encoding.UTF8.GetString(CanonicalJson.Encode(JsonElement.Parse(json))));

    [Fact]
    public void CanonicalJson_OfItsOwnOutput_IsTheSame() =>
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), ArbMap.Default.ArbFor<long>(), (text, number) =>
        {
            var plain = new string([.. text.Get.Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]);
            var once = CanonicalJson.Encode(JsonElement.Parse(JsonSerializer.Serialize(new Dictionary<string, object> { [plain] = number, ["z" + plain] = plain })));
            return once.AsSpan().SequenceEqual(CanonicalJson.Encode(JsonElement.Parse(once)));
        }));
}
