using System.Diagnostics;
using System.Text.RegularExpressions;
using Appliance.Core.Verity;

namespace Core.Tests.Verity;

public sealed class VerityTreeWriterTests : IDisposable
{
    private static readonly Guid Id = new("d4b0d9a2-0001-8002-8003-000000000004");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("verity");

    public void Dispose() => _folder.Delete(recursive: true);

    private string this[string name] => Path.Combine(_folder.FullName, name);

    private static async Task<string> VeritysetupAsync(params string[] arguments)
    {
        if (!File.Exists("/usr/sbin/veritysetup")) Assert.Skip("veritysetup is not installed");
        using var tool = Process.Start(new ProcessStartInfo("/usr/sbin/veritysetup", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
        Assert.True(tool.ExitCode == 0, await tool.StandardError.ReadToEndAsync());
        return output;
    }

    /// <summary>Builds the tree of a file, taking its digests in pieces of a number of blocks.</summary>
    private static string Build(string data, string tree, byte[] salt, int piece)
    {
        var bytes = File.ReadAllBytes(data);
        using var target = File.OpenHandle(tree, FileMode.Create, FileAccess.Write);
        var writer = new VerityTreeWriter(bytes.Length, salt, Id, (offset, span) => RandomAccess.Write(target, span, offset));
        for (var at = 0; at < bytes.Length; at += piece * 4096)
        {
            var part = bytes.AsSpan(at, Math.Min(piece * 4096, bytes.Length - at));
            var digests = new byte[part.Length / 4096 * 32];
            VerityTreeWriter.HashBlocks(part, salt, digests);
            writer.Append(digests);
        }
        return writer.Finish();
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 32, 1)]
    [InlineData(128, 32, 128)]
    [InlineData(129, 32, 7)]
    [InlineData(2049, 256, 1024)]
    [InlineData(128 * 128 + 1, 1, 1024)]
    public async Task Tree_OfAnySize_IsTheOneOfVeritysetup(int blocks, int saltLength, int piece)
    {
        var random = new Random(blocks);
        var (data, salt) = (new byte[blocks * 4096], new byte[saltLength]);
        random.NextBytes(data);
        random.NextBytes(salt);
        await File.WriteAllBytesAsync(this["data"], data);
        var saltText = saltLength == 0 ? "-" : Convert.ToHexStringLower(salt);

        var rootHash = Build(this["data"], this["ours"], salt, piece);

        var output = await VeritysetupAsync("format", "--hash=sha256", "--data-block-size=4096", "--hash-block-size=4096", $"--salt={saltText}", $"--uuid={Id}", this["data"], this["theirs"]);
        Assert.Equal(Regex.Match(output, @"Root hash:\s+(\w+)").Groups[1].Value, rootHash);
        Assert.Equal(await File.ReadAllBytesAsync(this["theirs"]), await File.ReadAllBytesAsync(this["ours"]));
        Assert.Equal(new VerityGeometry(data.Length).Size, new FileInfo(this["ours"]).Length);
        await VeritysetupAsync("verify", this["data"], this["ours"], rootHash);
    }

    [Fact]
    public void Finish_WithBlocksMissing_Throws()
    {
        var writer = new VerityTreeWriter(2 * 4096, [], Id, (_, _) => { });
        writer.Append(new byte[32]);

        Assert.Throws<InvalidOperationException>(writer.Finish);
    }
}
