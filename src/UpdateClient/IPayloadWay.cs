namespace Appliance.UpdateClient;

/// <summary>One way to get the plain bytes of a payload: a patch, chunks, or all of it.</summary>
internal interface IPayloadWay
{
    /// <summary>Bytes that this way downloads for the whole payload.</summary>
    long DownloadBytes { get; }

    /// <summary>Opens the plain bytes from an offset to the end.</summary>
    /// <param name="offset">A multiple of 4 MiB; the bytes before it are in the target already.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <returns>A stream that reads forward. It throws <see cref="InvalidDataException"/> where the data are bad.</returns>
    Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken);
}
