using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Text.Json;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Supervisor.Tests.Usb;

/// <summary>What is on a stick: a folder of bundles that say something of themselves, signed by nobody.</summary>
internal sealed class Stick : IDisposable
{
    private static readonly string Hash = new('0', 64);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stick");

    public static string Architecture { get; } = RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    public string Folder => _folder.FullName;

    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>Puts a bundle on it, as `appliance bundle` begins one.</summary>
    public Stick With(string name, string version, string id = "edge", string board = "vm")
    {
        var reference = ObjectReference.For(Hash, 1);
        var release = new Release
        {
            Format = Release.CurrentFormat,
            Header = new BundleHeader { Id = id, Version = version, Board = board, Architecture = Architecture, RootHash = Hash, Salt = "00", SourceDate = DateTimeOffset.UnixEpoch },
            Manifest = reference,
            Bundle = reference,
            Payloads = [new ReleasePayload { Name = "kernel", Kind = BundlePayloadKind.Uki, Size = 1, Sha256 = Hash, Offset = 0 }],
        };
        using var tar = new TarWriter(File.Create(PathOf(name)), TarEntryFormat.Ustar);
        Add(tar, OfflineBundle.ReleaseName, JsonSerializer.SerializeToUtf8Bytes(release, ReleaseJson.Default.Release));
        Add(tar, BundleWriter.ManifestName, "{}"u8.ToArray());
        return this;
    }

    public Stick WithText(string name, string text)
    {
        File.WriteAllText(PathOf(name), text);
        return this;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static void Add(TarWriter tar, string name, byte[] content) => tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
}
