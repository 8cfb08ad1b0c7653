// Reads a ZIP file the two ways that Java knows, for tests: java Reader.java (file|stream) ARCHIVE [FOLDER]
//
// Reads every member to its end, checks its CRC-32 (ZipFile does not), and prints the members' names, each
// followed by a NUL. With a folder, the members are written there.

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

public class Reader {
    private final Path folder;

    private Reader(Path folder) {
        this.folder = folder;
    }

    public static void main(String[] args) throws IOException {
        Reader reader = new Reader(args.length > 2 ? Path.of(args[2]) : null);
        if (args[0].equals("file")) {
            reader.readFile(Path.of(args[1]));
        } else {
            reader.readStream(Path.of(args[1]));
        }
        System.out.flush();
    }

    private void readFile(Path archive) throws IOException {
        try (ZipFile zip = new ZipFile(archive.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                try (InputStream data = zip.getInputStream(entry)) {
                    take(entry, data);
                }
            }
        }
    }

    private void readStream(Path archive) throws IOException {
        try (InputStream file = new BufferedInputStream(Files.newInputStream(archive), 1 << 20);
             ZipInputStream zip = new ZipInputStream(file)) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                take(entry, zip);
            }
        }
    }

    private void take(ZipEntry entry, InputStream data) throws IOException {
        System.out.write(entry.getName().getBytes(StandardCharsets.UTF_8));
        System.out.write(0);
        CheckedInputStream checked = new CheckedInputStream(data, new CRC32());
        write(entry, checked);
        if (checked.getChecksum().getValue() != entry.getCrc()) {
            throw new ZipException("the CRC-32 of " + entry.getName() + " is wrong");
        }
    }

    private void write(ZipEntry entry, InputStream data) throws IOException {
        if (folder == null) {
            copy(data, OutputStream.nullOutputStream());
            return;
        }
        Path path = folder.resolve(entry.getName());
        if (entry.isDirectory()) {
            Files.createDirectories(path);
            return;
        }
        Files.createDirectories(path.getParent());
        try (OutputStream file = Files.newOutputStream(path)) {
            copy(data, file);
        }
    }

    private static void copy(InputStream from, OutputStream to) throws IOException {
        byte[] buffer = new byte[1 << 18];
        for (int got = from.read(buffer); got >= 0; got = from.read(buffer)) {
            to.write(buffer, 0, got);
        }
    }
}
