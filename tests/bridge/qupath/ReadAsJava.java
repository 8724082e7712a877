// Reads a data.qpdata with Java's own ObjectInputStream and prints its objects, one a line, in the order of the file.
//
// Stand-ins take the place of QuPath's classes: same simple names, same serialVersionUID, same readExternal. Java compares
// simple names only, so that no package is needed. Run by test_as_java.py: java ReadAsJava.java FILE.

import java.io.*;
import java.util.*;

public class ReadAsJava {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "US-ASCII");
        try (ObjectInputStream in = new StandIns(new FileInputStream(args[0]))) {
            out.println("title\t" + in.readUTF());
            while (true) {
                Object record = in.readObject();
                if (record instanceof PathObjectHierarchy) {
                    print(out, ((PathObjectHierarchy) record).rootObject, 0);
                } else if (record instanceof HashMap) {
                    out.println("property\t" + hex(new TreeMap<Object, Object>((HashMap<?, ?>) record).toString()));
                } else if ("EOF".equals(record)) {
                    out.println("end\t" + in.read());
                    return;
                }
            }
        }
    }

    static void print(PrintStream out, PathObject object, int depth) {
        StringJoiner line = new StringJoiner("\t");
        line.add("object").add("" + depth).add(object.getClass().getSimpleName()).add(hex(object.name));
        line.add(hex(object.metadata.toString()));
        if (object instanceof PathROIObject) {
            PathROIObject drawn = (PathROIObject) object;
            line.add("" + drawn.isLocked).add(hex(drawn.pathClass == null ? null : drawn.pathClass.fullName()));
            line.add(drawn.pathClass == null ? "" : "" + drawn.pathClass.colorRGB);
            line.add(Long.toHexString(Double.doubleToRawLongBits(drawn.probability))).add(drawn.roi.toString());
        }
        out.println(line);
        for (PathObject child : object.children) {
            print(out, child, depth + 1);
        }
    }

    static String hex(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder hex = new StringBuilder();
        for (char unit : text.toCharArray()) {
            hex.append(String.format("%04x", (int) unit));
        }
        return hex.toString();
    }
}

class StandIns extends ObjectInputStream {
    StandIns(InputStream in) throws IOException {
        super(in);
    }

    @Override
    protected Class<?> resolveClass(ObjectStreamClass desc) throws IOException, ClassNotFoundException {
        String name = desc.getName();
        if (!name.startsWith("qupath.")) {
            return super.resolveClass(desc);
        }
        return Class.forName(name.substring(name.lastIndexOf('.') + 1), false, ReadAsJava.class.getClassLoader());
    }
}

class ImageData {
    enum ImageType { UNSET, BRIGHTFIELD_H_E, BRIGHTFIELD_H_DAB }
}

class ColorDeconvolutionStains implements Externalizable {
    static final long serialVersionUID = 1L;
    public ColorDeconvolutionStains() {}
    public void writeExternal(ObjectOutput out) {}
    public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
        if (in.readInt() != 1 || !((String) in.readObject()).contains("Hematoxylin")) {
            throw new IOException("stains");
        }
    }
}

class Workflow implements Externalizable {
    static final long serialVersionUID = 1L;
    public Workflow() {}
    public void writeExternal(ObjectOutput out) {}
    public void readExternal(ObjectInput in) throws IOException {
        if (in.readInt() != 1 || in.readInt() != 0) {
            throw new IOException("workflow");
        }
    }
}

class PathObjectHierarchy implements Serializable {
    static final long serialVersionUID = 1L;
    PathObject rootObject;
    Object tmaGrid;
}

class MetadataMap extends TreeMap<String, String> implements Externalizable {
    static final long serialVersionUID = 1L;
    public MetadataMap() {}
    public void writeExternal(ObjectOutput out) {}
    public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
        if ((Integer) in.readObject() != 1) {
            throw new IOException("metadata");
        }
        Object[] keys = (Object[]) in.readObject();
        Object[] values = (Object[]) in.readObject();
        for (int i = 0; i < keys.length; i++) {
            put((String) keys[i], (String) values[i]);
        }
    }
}

class PathClass implements Serializable {
    static final long serialVersionUID = 1L;
    Integer colorRGB;
    String name;
    PathClass parentClass;
    String fullName() {
        return parentClass == null ? name : parentClass.fullName() + ": " + name;
    }
}

abstract class PathObject implements Externalizable {
    static final long serialVersionUID = 1L;
    String name;
    MetadataMap metadata;
    List<PathObject> children = new ArrayList<>();
    public PathObject() {}
    public void writeExternal(ObjectOutput out) {}
    public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
        name = (String) in.readObject();
        Integer color = (Integer) in.readObject();
        metadata = (MetadataMap) in.readObject();
        Object measurements = in.readObject();
        for (int left = in.readInt(); left > 0; left--) {
            children.add((PathObject) in.readObject());
        }
    }
}

class PathRootObject extends PathObject {
    static final long serialVersionUID = 1L;
    public PathRootObject() {}
}

abstract class PathROIObject extends PathObject {
    static final long serialVersionUID = 1L;
    boolean isLocked;
    PathClass pathClass;
    Object roi;
    double probability;
    @Override
    public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
        super.readExternal(in);
        isLocked = (Boolean) in.readObject();
        pathClass = (PathClass) in.readObject();
        roi = in.readObject();
        probability = in.readDouble();
    }
}

class PathAnnotationObject extends PathROIObject {
    static final long serialVersionUID = 1L;
    public PathAnnotationObject() {}
}

class PathDetectionObject extends PathROIObject {
    static final long serialVersionUID = 1L;
    public PathDetectionObject() {}
}

class RectangleROI {
    static class SerializationProxy implements Serializable {
        static final long serialVersionUID = 1L;
        double x, x2, y, y2;
        int c, z, t;
        String name;
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "rectangle %d,%d,%d %.2f,%.2f,%.2f,%.2f", c, z, t, x, y, x2, y2);
        }
    }
}

class PolygonROI {
    static class SerializationProxy implements Serializable {
        static final long serialVersionUID = 1L;
        float[] x, y;
        int c, z, t;
        String name;
        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(String.format("polygon %d,%d,%d", c, z, t));
            for (int i = 0; i < x.length; i++) {
                text.append(String.format(" %08x,%08x", Float.floatToRawIntBits(x[i]), Float.floatToRawIntBits(y[i])));
            }
            return text.toString();
        }
    }
}

class GeometryROI {
    static class WKBSerializationProxy implements Serializable {
        static final long serialVersionUID = 1L;
        byte[] wkb;
        int c, z, t;
        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(String.format("geometry %d,%d,%d ", c, z, t));
            for (byte value : wkb) {
                text.append(String.format("%02x", value));
            }
            return text.toString();
        }
    }
}
