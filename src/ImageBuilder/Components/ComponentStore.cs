using System.Security.Cryptography;
using Appliance.Core;
using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Components;

/// <summary>Finds pinned components: a file given by hand, the cache, the URL. The hash is verified wherever it came from.</summary>
internal sealed class ComponentStore(string cacheFolder, IReadOnlyDictionary<string, string> givenFiles)
{
    private const int BufferSize = 1 << 17;
    private const long LargestDownload = 4L << 30;
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(30);

    /// <summary>Path of the verified file in the cache.</summary>
    /// <param name="pin">What is wanted.</param>
    /// <param name="onBytes">Bytes so far and in all (0 when unknown).</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <exception cref="UserError">A file given by hand is missing or has another hash, or the download has.</exception>
    /// <exception cref="ComponentUnavailable">It is nowhere to be had.</exception>
    public async Task<string> ResolveAsync(ComponentPin pin, Action<long, long>? onBytes, CancellationToken cancellationToken)
    {
        var cached = Path.Combine(cacheFolder, pin.Sha256, Path.GetFileName(pin.InstallPath));
        if (givenFiles.TryGetValue(pin.Name, out var given))
        {
            if (!File.Exists(given)) throw new UserError($"The file {given} given for component {pin.Name} does not exist.", "Correct --component.");
            await using var source = File.OpenRead(given);
            await StoreAsync(pin, source, given, source.Length, cached, onBytes, cancellationToken);
            return cached;
        }
        if (File.Exists(cached))
        {
            await using var stream = File.OpenRead(cached);
            if (Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)) == pin.Sha256) return cached;
        }
        await DownloadAsync(pin, cached, onBytes, cancellationToken);
        return cached;
    }

    private static async Task DownloadAsync(ComponentPin pin, string cached, Action<long, long>? onBytes, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler { ConnectTimeout = ConnectLimit };
        using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        using var answer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        answer.CancelAfter(ConnectLimit + ConnectLimit);
        try
        {
            using var response = await client.GetAsync(pin.Url, HttpCompletionOption.ResponseHeadersRead, answer.Token);
            response.EnsureSuccessStatusCode();
            var total = response.Content.Headers.ContentLength ?? 0;
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            await StoreAsync(pin, body, pin.Url.ToString(), total, cached, onBytes, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new ComponentUnavailable(
                $"{pin.Name} {pin.Version} for {pin.Architecture} cannot be fetched from {pin.Url} ({Reason(e)}).",
                $"Fetch it elsewhere and build with --component {pin.Name}=FILE, or place it as {cached} (sha256 {pin.Sha256}).", e);
        }
    }

    private static string Reason(Exception e) => e is OperationCanceledException or TimeoutException ? "no answer in time" : e.Message;

    private static async Task StoreAsync(ComponentPin pin, Stream source, string origin, long total, string cached, Action<long, long>? onBytes, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(cached)!);
        var partial = $"{cached}.partial";
        try
        {
            string hash;
            await using (var target = new FileStream(partial, FileMode.Create, FileAccess.Write))
                hash = await CopyAsync(source, target, pin.Size ?? LargestDownload, total, onBytes, cancellationToken);
            if (hash != pin.Sha256)
                throw new UserError($"{origin} is not {pin.Name} {pin.Version} for {pin.Architecture}: its sha256 is {hash}, the pinned one is {pin.Sha256}.", "Give the right file, or correct components.lock.yaml if you mean this one.");
            File.Move(partial, cached, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static async Task<string> CopyAsync(Stream source, Stream target, long limit, long total, Action<long, long>? onBytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferSize];
        long done = 0;
        while (true)
        {
            using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            stall.CancelAfter(StallLimit);
            var read = await source.ReadAsync(buffer, stall.Token);
            if (read == 0) return Convert.ToHexStringLower(hash.GetHashAndReset());
            if ((done += read) > limit) throw new IOException($"longer than the expected {limit} bytes");
            hash.AppendData(buffer, 0, read);
            await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            onBytes?.Invoke(done, total);
        }
    }
}
