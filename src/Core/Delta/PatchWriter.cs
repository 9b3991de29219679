namespace Appliance.Core.Delta;

/// <summary>
/// Makes the patch that turns one payload into another: <see cref="PatchPlanner"/> finds what they have in common,
/// <see cref="PatchModel"/> codes the rest. Equal inputs give equal patches.
/// </summary>
public static class PatchWriter
{
    /// <summary>Writes a patch.</summary>
    /// <param name="oldPath">The payload devices have.</param>
    /// <param name="newPath">The payload they shall get.</param>
    /// <param name="target">Gets the patch.</param>
    /// <param name="progress">Bytes of the new payload that are done, of which planning counts for half, and its length.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task WriteAsync(string oldPath, string newPath, Stream target, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        using var old = File.OpenHandle(oldPath, options: FileOptions.RandomAccess);
        using var fresh = File.OpenHandle(newPath, options: FileOptions.RandomAccess);
        var (oldLength, newLength) = (RandomAccess.GetLength(old), RandomAccess.GetLength(fresh));
        var commands = await new PatchPlanner(old, oldLength, fresh, newLength).PlanAsync(planned => progress?.Invoke(planned / 2, newLength), cancellationToken);
        target.Write(PatchFormat.MakeHeader(newLength, oldLength));
        var coder = new BitWriter(target);
        var model = new PatchModel();
        PieceReader readOld = (offset, buffer) => PatchFormat.ReadPadded(old, oldLength, offset, buffer);
        PieceReader readNew = (offset, buffer) => PatchFormat.ReadPadded(fresh, newLength, offset, buffer);
        foreach (var group in commands.Chunk(PatchModel.MostCommands))
        {
            var coded = group.ToList();
            model.CodeCommands(ref coder, coded, group[0].NewOffset, newLength, oldLength);
            foreach (var command in coded)
            {
                if (command.Kind == PatchCommandKind.Copy) continue;
                for (long done = 0; done < command.Length; done += PatchModel.NextPiece(command, done))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    model.CodePiece(ref coder, command, done, readOld, readNew);
                }
                progress?.Invoke((newLength + command.NewOffset + command.Length) / 2, newLength);
            }
        }
        coder.Finish();
    }
}
