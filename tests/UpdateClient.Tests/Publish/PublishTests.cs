using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Publish;

public sealed class PublishTests : IDisposable
{
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private Task<CheckReport> CheckAsync(string? path = null)
    {
        File.WriteAllBytes(_scene["root.json"], _scene.Root);
        var check = new RepositoryCheck(_scene["root.json"], _scene.Time, _scene.Observer);
        return path is null ? check.CheckRepositoryAsync(_scene.Repository, CancellationToken.None) : check.CheckBundleAsync(path, CancellationToken.None);
    }

    private List<string> Files() => Directory.EnumerateFiles(_scene.Repository, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(_scene.Repository, file)).Order(StringComparer.Ordinal).ToList();

    [Fact]
    public async Task Publish_SeveralVersions_GivesARepositoryThatIsSound()
    {
        foreach (var version in new[] { "1.0", "1.1", "1.2" }) await _scene.PublishVersionAsync(version, 1 << 20);

        var report = await CheckAsync();

        Assert.Empty(report.Faults);
        Assert.Equal(3, report.Targets.Count);
        Assert.Equal(["stable"], report.Channels);
        Assert.DoesNotContain(Files(), file => file.StartsWith(".publishing", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_WithPatchesAndChunks_IsSoundToo()
    {
        using var scene = new UpdateScene { Deltas = true };
        foreach (var version in new[] { "1.0", "1.1" }) await scene.PublishAsync(await scene.BuildAsync(version, 128 << 10, 32 << 10));
        await File.WriteAllBytesAsync(scene["root.json"], scene.Root);
        var check = () => new RepositoryCheck(scene["root.json"], scene.Time, scene.Observer).CheckRepositoryAsync(scene.Repository, CancellationToken.None);

        Assert.Empty((await check()).Faults);
        Assert.Contains("patch 1.0", scene.Observer.Stages);
        Assert.Contains("patches from 1.0", scene.Observer.Stages);
    }

    [Fact]
    public async Task Publish_TheSameAgain_ChangesNothing()
    {
        var bundle = await _scene.BuildAsync("1.1", 1 << 20);
        await _scene.PublishAsync(bundle);
        var before = Files();

        var result = await _scene.PublishAsync(bundle);

        Assert.False(result.Changed);
        Assert.Equal(before, Files());
    }

    /// <summary>What `appliance verify` advises: whatever object is missing or damaged is there again afterwards.</summary>
    [Fact]
    public async Task Publish_TheSameAgain_RepairsWhatIsDamaged()
    {
        using var scene = new UpdateScene { Deltas = true };
        await scene.PublishAsync(await scene.BuildAsync("1.0", 128 << 10, 32 << 10));
        var bundle = await scene.BuildAsync("1.1", 128 << 10, 32 << 10);
        var release = (await scene.PublishAsync(bundle)).Release;
        var objects = release.Objects().ToList();
        Assert.True(objects.Count > 5);
        foreach (var (reference, i) in objects.Select((reference, i) => (Path.Combine(scene.Repository, reference.Path), i)))
        {
            var bytes = await File.ReadAllBytesAsync(reference);
            bytes[bytes.Length / 2] ^= 1;
            if (i % 2 == 0) await File.WriteAllBytesAsync(reference, bytes);
            else File.Delete(reference);
        }

        Assert.False((await scene.PublishAsync(bundle)).Changed);

        await File.WriteAllBytesAsync(scene["root.json"], scene.Root);
        Assert.Empty((await new RepositoryCheck(scene["root.json"], scene.Time, scene.Observer).CheckRepositoryAsync(scene.Repository, CancellationToken.None)).Faults);
    }

    [Fact]
    public async Task Publish_TheSameAgainOtherwise_SaysThatItRepairsNothing()
    {
        var bundle = await _scene.BuildAsync("1.1", 1 << 20);
        var release = (await _scene.PublishAsync(bundle)).Release;
        File.Delete(Path.Combine(_scene.Repository, release.Bundle.Path));

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.PublishAsync(bundle, options => options with { Level = 9 }));

        Assert.Contains(release.Bundle.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains("options of the first time", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_WithOnlyAnotherRollout_ChangesOnlyTheOffer()
    {
        var bundle = await _scene.BuildAsync("1.1", 1 << 20);
        await _scene.PublishAsync(bundle, options => options with { Rollout = 10 });
        var before = Files().Where(file => !file.StartsWith("metadata/", StringComparison.Ordinal)).ToList();

        var result = await _scene.PublishAsync(bundle, options => options with { Rollout = 50 });

        Assert.True(result is { Changed: true, WasPresent: true, Rollout: 50 });
        Assert.Equal(before, Files().Where(file => !file.StartsWith("metadata/", StringComparison.Ordinal)));
        Assert.DoesNotContain("compress", _scene.Observer.Stages.TakeLast(2));
    }

    [Fact]
    public async Task Refuses_AVersionThatIsPublishedWithAnotherContent()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        var other = await _scene.BuildAsync("1.1", 2 << 20);

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.PublishAsync(other));

        Assert.Contains("another content", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keep_DropsOldVersions_AndTheirObjectsOnePublicationLater()
    {
        await _scene.PublishVersionAsync("1.0", 1 << 20);
        var old = Files().Where(file => file.StartsWith("objects/", StringComparison.Ordinal)).ToHashSet();
        await _scene.PublishVersionAsync("1.1", 1 << 20);

        await _scene.PublishVersionAsync("1.2", 1 << 20, options: options => options with { Keep = 2 });

        Assert.Superset(old, Files().ToHashSet()); // a reader of the state before still needs them
        Assert.Equal(2, (await CheckAsync()).Targets.Count);

        await _scene.PublishVersionAsync("1.3", 1 << 20, options: options => options with { Keep = 2 });

        Assert.Empty(old.Intersect(Files()));
        Assert.Empty((await CheckAsync()).Faults);
    }

    [Fact]
    public async Task Publish_StoppedAtEveryStep_LeavesTheOldStateOrTheNew_AndCanBeMadeAgain()
    {
        await _scene.PublishVersionAsync("1.0", 100 << 12);
        var bundle = await _scene.BuildAsync("1.1", 100 << 12);
        using var pristine = new CopiedFolder(_scene.Repository);
        var steps = new List<string>();
        await _scene.PublishAsync(bundle, options => options with { Keep = 1 }, steps.Add);
        Assert.InRange(steps.Count, 6, 60);

        for (var stop = 0; stop < steps.Count; stop++)
        {
            pristine.Restore();
            var left = stop;
            await Assert.ThrowsAsync<Stopped>(() => _scene.PublishAsync(bundle, options => options with { Keep = 1 }, _ =>
            {
                if (left-- == 0) throw new Stopped();
            }));

            var seen = await CheckAsync();
            Assert.Empty(seen.Faults);
            // The timestamp is what makes the new state count.
            Assert.Equal(stop > steps.IndexOf("rename timestamp.json") ? "1.1" : "1.0", await NewestAsync());

            await _scene.PublishAsync(bundle, options => options with { Keep = 1 });
            var after = await CheckAsync();
            Assert.Empty(after.Faults);
            Assert.Equal(["stable/edge_1.1_vm_amd64.json"], after.Targets);
        }
    }

    /// <summary>The version that a new device would see.</summary>
    private async Task<string?> NewestAsync()
    {
        _scene.Device = _scene.Device with { Version = "0.1" };
        if (Directory.Exists(_scene["trust"])) Directory.Delete(_scene["trust"], recursive: true);
        var check = await _scene.Installer(new FolderSource(_scene.Repository)).CheckAsync("stable", CancellationToken.None);
        Assert.Equal(UpdateVerdict.Available, check.Verdict);
        return check.Offer!.Version;
    }

    [Fact]
    public async Task Read_DuringAPublication_SeesTheOldStateOrTheNew()
    {
        await _scene.PublishVersionAsync("1.0", 100 << 12);
        var bundle = await _scene.BuildAsync("1.1", 100 << 12);
        _scene.Device = _scene.Device with { Version = "0.1" };
        var seen = new HashSet<string>();

        await _scene.PublishAsync(bundle, options => options with { Keep = 1 }, _ =>
        {
            // A device that reads right now, whole: metadata, release, manifest and payload.
            var plan = ReadAsync().GetAwaiter().GetResult();
            seen.Add(plan.Release.Header.Version);
        });

        Assert.Subset(new HashSet<string> { "1.0", "1.1" }, seen);
        Assert.Contains("1.0", seen);

        async Task<UpdatePlan> ReadAsync()
        {
            var source = new FolderSource(_scene.Repository);
            var installer = _scene.Installer(source);
            var check = await installer.CheckAsync("stable", CancellationToken.None);
            var plan = await installer.PlanAsync(check, new RunningSlot(null, null), _scene.Slot, CancellationToken.None);
            Assert.All(plan.Release.Objects(), reference => Assert.True(File.Exists(Path.Combine(_scene.Repository, reference.Path))));
            return plan;
        }
    }

    /// <summary>What is exported while somebody publishes is one state of the repository.</summary>
    [Fact]
    public async Task Export_DuringPublications_IsSound()
    {
        await _scene.PublishVersionAsync("1.0", 100 << 12);
        var bundle = await _scene.BuildAsync("1.1", 100 << 12);
        var exports = 0;

        for (var rollout = 10; rollout <= 30; rollout += 10)
            await _scene.PublishAsync(bundle, options => options with { Rollout = rollout }, _ => ExportAsync().GetAwaiter().GetResult());

        Assert.InRange(exports, 10, int.MaxValue);

        async Task ExportAsync()
        {
            await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);
            Assert.Empty((await CheckAsync(_scene["offline.bundle"])).Faults);
            exports++;
        }
    }

    [Fact]
    public async Task Verify_FindsEveryKindOfDamage()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        var files = Files().Where(file => !file.StartsWith("metadata/", StringComparison.Ordinal)).ToList();
        Assert.True(files.Count >= 3);
        foreach (var file in files)
        {
            var path = Path.Combine(_scene.Repository, file);
            var bytes = await File.ReadAllBytesAsync(path);
            var damaged = bytes.ToArray();
            damaged[damaged.Length / 2] ^= 1;
            foreach (var content in new[] { damaged, bytes[..^1] })
            {
                await File.WriteAllBytesAsync(path, content);
                Assert.NotEmpty((await CheckAsync()).Faults);
            }
            File.Delete(path);
            Assert.NotEmpty((await CheckAsync()).Faults);
            await File.WriteAllBytesAsync(path, bytes);
        }
        Assert.Empty((await CheckAsync()).Faults);
    }

    /// <summary>Whoever puts another kernel image into it makes its own manifest match; what is signed does not.</summary>
    [Fact]
    public async Task Verify_OfAnExportedBundle_FindsEveryChangeOfIt()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);
        var whole = await File.ReadAllBytesAsync(_scene["offline.bundle"]);
        await using (var source = await BundleSource.OpenAsync(new MemoryStream(whole), "x", CancellationToken.None))
        {
            // The padding of the inner manifest: no frame and no field says that it is another one.
            var padding = (int)source.BundleOffset + 512 + Array.IndexOf(whole[((int)source.BundleOffset + 512)..], (byte)0);
            whole[padding] ^= 1;
        }
        await File.WriteAllBytesAsync(_scene["offline.bundle"], whole);

        var report = await CheckAsync(_scene["offline.bundle"]);

        Assert.Contains(report.Faults, fault => fault.Contains("is not what the release was signed with", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Bundle_Exported_InstallsFromAFileAndFromAStream()
    {
        await _scene.PublishVersionAsync("1.0", 1 << 20);
        await _scene.PublishVersionAsync("1.1", 9 << 20);
        await _scene.PublishVersionAsync("1.2", 1 << 20);
        _scene.Device = _scene.Device with { Version = "0.9" };
        await new OfflineExport(_scene.Repository, "stable", "1.1", _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);

        Assert.Empty((await CheckAsync(_scene["offline.bundle"])).Faults);
        await using (var source = await BundleSource.OpenAsync(File.OpenRead(_scene["offline.bundle"]), "offline.bundle", CancellationToken.None)) await _scene.InstallAsync(source);
        _scene.AssertInstalled("1.1");

        File.Delete(_scene["slot-root"]);
        await using (var source = await BundleSource.OpenAsync(new OneWay(File.OpenRead(_scene["offline.bundle"])), "an upload", CancellationToken.None)) await _scene.InstallAsync(source);
        _scene.AssertInstalled("1.1");
    }

    /// <summary>What is wrong is said, not that a stream cannot be read twice.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Refuses_ABundleWithADamagedPayload(bool stream)
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);
        var bytes = await File.ReadAllBytesAsync(_scene["offline.bundle"]);
        bytes[bytes.Length / 2] ^= 1;

        await using var source = await BundleSource.OpenAsync(stream ? new OneWay(new MemoryStream(bytes)) : new MemoryStream(bytes), "an upload", CancellationToken.None);
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(source));

        Assert.DoesNotContain("cannot be read again", error.Message, StringComparison.Ordinal);
        Assert.Contains("bring or send it again", error.Hint, StringComparison.Ordinal);
        _scene.AssertEmpty();
    }

    /// <summary>Whatever is in the bundle's front, metadata and headers, is refused in words, or makes no difference.</summary>
    [Fact]
    public async Task Refuses_ABundleWithAnyChangeInItsFront()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);
        var whole = await File.ReadAllBytesAsync(_scene["offline.bundle"]);
        var random = new Random(3);
        var refused = 0;
        for (var round = 0; round < 400; round++)
        {
            var bytes = whole.ToArray();
            if (round % 2 == 0) for (var changes = random.Next(1, 8); changes > 0; changes--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            else Retype(bytes, random);
            try
            {
                await using var source = await BundleSource.OpenAsync(round % 3 == 0 ? new OneWay(new MemoryStream(bytes)) : new MemoryStream(bytes), "x.bundle", CancellationToken.None);
                await _scene.InstallAsync(source, new UpdateOptions { StateFolder = "", Force = true });
                _scene.AssertInstalled("1.1");
                File.Delete(_scene["slot-root"]);
            }
            catch (UserError error)
            {
                Assert.NotNull(error.Hint);
                refused++;
            }
            await File.WriteAllBytesAsync(_scene["x.bundle"], bytes);
            try
            {
                await CheckAsync(_scene["x.bundle"]);
            }
            catch (UserError)
            {
                // So much is known of it, and said.
            }
        }
        Assert.InRange(refused, 100, 400);
    }

    /// <summary>Gives a member another type (pax and GNU headers among them), and the header its checksum.</summary>
    private static void Retype(byte[] bytes, Random random)
    {
        const int block = 512, type = 156, checksum = 148, length = 8;
        var headers = Enumerable.Range(0, bytes.Length / block).Where(i => bytes.AsSpan((i * block) + 257, 5).SequenceEqual("ustar"u8)).ToList();
        var header = bytes.AsSpan(headers[random.Next(headers.Count)] * block, block);
        header[type] = "xgLKSDVMN12345670"u8[random.Next(17)];
        header.Slice(checksum, length).Fill((byte)' ');
        var sum = 0;
        foreach (var part in header) sum += part;
        System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[checksum..]);
    }

    [Fact]
    public async Task Bundle_Exported_IsATarThatTarReads_AndABundleThatTheReaderReads()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);

        using var tar = Process.Start(new ProcessStartInfo("tar", ["-tf", _scene["offline.bundle"]]) { RedirectStandardOutput = true })!;
        var names = (await tar.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await tar.WaitForExitAsync();

        Assert.Equal(0, tar.ExitCode);
        Assert.Equal("metadata/1.root.json", names[0]);
        Assert.Equal(["release.json", "release-manifest.zst", "manifest.json", "payloads/root.erofs.zst", "payloads/uki.efi.zst"], names[^5..]);
    }

    [Fact]
    public async Task Refuses_ABundleForAnotherBoard_OrCutAnywhere()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["offline.bundle"], null, CancellationToken.None);
        var bytes = await File.ReadAllBytesAsync(_scene["offline.bundle"]);
        var own = _scene.Device;
        _scene.Device = own with { Board = "pi" };
        await using (var source = await BundleSource.OpenAsync(new MemoryStream(bytes), "x.bundle", CancellationToken.None))
            Assert.Contains("The bundle is for another board", (await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(source))).Message, StringComparison.Ordinal);
        _scene.Device = own;

        for (var length = 0; length < bytes.Length - 1024; length += bytes.Length / 40)
        {
            var error = await Assert.ThrowsAsync<UserError>(async () =>
            {
                await using var source = await BundleSource.OpenAsync(new MemoryStream(bytes, 0, length), "x.bundle", CancellationToken.None);
                await _scene.InstallAsync(source);
            });
            Assert.NotNull(error.Hint);
        }
    }

    [Fact]
    public async Task Refuses_ABundleOfABuild_BecauseNobodySignedIt()
    {
        var bundle = await _scene.BuildAsync("1.1", 1 << 20);

        var error = await Assert.ThrowsAsync<UserError>(() => BundleSource.OpenAsync(File.OpenRead(bundle), "x.bundle", CancellationToken.None));

        Assert.Contains("no signatures", error.Message, StringComparison.Ordinal);
        File.Delete(_scene["root.json"]);
        Assert.Empty((await new RepositoryCheck(null, _scene.Time, _scene.Observer).CheckBundleAsync(bundle, CancellationToken.None)).Faults);
    }

    private sealed class Stopped : Exception;

    /// <summary>A stream that is only read forward.</summary>
    private sealed class OneWay(Stream inner) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer[..Math.Min(buffer.Length, 30_011)], cancellationToken);
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>A folder that can be put back as it was.</summary>
    private sealed class CopiedFolder : IDisposable
    {
        private readonly DirectoryInfo _copy = Directory.CreateTempSubdirectory("copy");
        private readonly string _folder;

        public CopiedFolder(string folder)
        {
            _folder = folder;
            Copy(folder, _copy.FullName);
        }

        public void Restore()
        {
            Directory.Delete(_folder, recursive: true);
            Copy(_copy.FullName, _folder);
        }

        public void Dispose() => _copy.Delete(recursive: true);

        private static void Copy(string from, string to)
        {
            Directory.CreateDirectory(to);
            foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            {
                var target = Path.Combine(to, Path.GetRelativePath(from, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }
    }
}
