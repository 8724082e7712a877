/*
 * SlideBridge in an open QuPath: results appear in the image while you look at it.
 *
 * What it does
 *   - says once a second which images of the project are open (a small file in the project's folder);
 *   - takes new predictions and proposals into the open image as they come, and says so in a corner of the window.
 *     Nothing is saved for you: File > Save keeps them, closing without saving forgets them;
 *   - leaves alone every object that you have changed since you last saved;
 *   - adds three commands to Extensions > SlideBridge:
 *       Predict here          asks for new predictions and proposals of this image, before all others;
 *       Accept in this box    the selected proposal, else the one in the middle of the view, becomes class ROI: all in
 *                             it is labelled now;
 *       Next proposal         goes to the next proposal by rank and selects it.
 *   It does nothing in projects that SlideBridge doesn't work on.
 *
 * Where to put it
 *   QuPath 0.5, 0.6, 0.7   anywhere; Edit > Preferences > General > Startup script path names it. Start QuPath again.
 *   QuPath 0.4             the user's scripts folder (Automate > User scripts > Open scripts directory); run it from
 *                          there once in every session. A second run changes nothing.
 *
 * Tried with
 *   Not run in a QuPath window yet. Its calls were looked up in the sources of QuPath 0.4.4 to 0.7.0, most in several;
 *   the script ran under Groovy 2.4 with stand-ins for QuPath's classes (QuPath itself brings Groovy 4 or 5), and its
 *   protocol is tested from SlideBridge's side, against a simulated QuPath. The other side of the protocol is
 *   bridge/qupath/viewer_files.py, which describes the files.
 */

import com.google.gson.Gson
import com.google.gson.JsonArray
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.nio.charset.StandardCharsets
import java.nio.file.AtomicMoveNotSupportedException
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.util.concurrent.Callable
import java.util.concurrent.FutureTask
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import javafx.application.Platform
import org.locationtech.jts.algorithm.distance.DiscreteHausdorffDistance
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.lib.gui.QuPathGUI
import qupath.lib.io.PathIO
import qupath.lib.objects.classes.PathClass

class SlideBridge {

    static final int PROTOCOL = 1
    static final String STARTED = 'slidebridge.session'    // system property of this QuPath: one script is enough
    static final String MARKER = 'slidebridge.write'       // image property: the write of SlideBridge that it holds
    static final String OURS = 'slidebridge'               // metadata of SlideBridge's objects
    static final String PROPOSED = 'Proposed'
    static final String LABELLED = 'ROI'                   // class of an area in which all is labelled
    static final double SAME_PX = 1.0                      // outlines that are this near are the same drawing
    static final long MAX_BYTES = 512L * 1024 * 1024
    static final long BEAT_MS = 1000

    final QuPathGUI qupath
    final String session
    final String host = hostName()
    final Gson gson = new Gson()
    final Logger logger = LoggerFactory.getLogger('SlideBridge')
    final Set broken = Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap()))
    final Set complaints = Collections.synchronizedSet(new HashSet())

    volatile Map shown = [folder: null, images: []]        // what was open when the window was last asked
    volatile Map told = [folder: null, images: []]         // what was open by the last heartbeat
    Path heartbeat = null                                  // the file last written
    long count = 0
    long asked = 0

    SlideBridge(QuPathGUI qupath, String session) {
        this.qupath = qupath
        this.session = session
    }

    void start() {
        onWindow(0) {
            command('Predict here') { predictHere() }
            command('Accept in this box') { acceptBox() }
            command('Next proposal') { nextProposal() }
        }
        // Two threads: the heart beats on while a large delivery is read, or waits for a busy window.
        repeat('SlideBridge heartbeat') { look(); beat() }
        repeat('SlideBridge inbox') { pull() }
        Runtime.getRuntime().addShutdownHook(new Thread({ forgetHeartbeat() } as Runnable))
        logger.info('SlideBridge watches for results')
    }

    void command(String name, Closure work) {
        qupath.installCommand('Extensions>SlideBridge>' + name, { quietly(work) } as Runnable)
    }

    void repeat(String name, Closure work) {
        Thread thread = new Thread({
            while (true) {
                quietly(work)
                Thread.sleep(BEAT_MS)
            }
        } as Runnable, name)
        thread.setDaemon(true)
        thread.start()
    }

    // Whatever goes wrong here must not disturb QuPath, nor fill its log.
    void quietly(Closure work) {
        try {
            work.call()
        } catch (InterruptedException e) {
            throw e
        } catch (Throwable e) {
            if (complaints.size() < 100 && complaints.add(String.valueOf(e)))
                logger.warn('SlideBridge: ' + e, e)
        }
    }

    // ---- what is open -------------------------------------------------------------------------------------------

    void look() {
        try {
            onWindow(2) { remember() }
        } catch (TimeoutException e) {
            // The window is busy: what was open still is.
        }
    }

    // On the window's thread.
    void remember() {
        def project = qupath.getProject()
        Path folder = project == null || project.getPath() == null ? null : projectFolder(project)
        List images = []
        if (folder != null) {
            boolean isVisible = !qupath.getStage().isIconified()
            viewers().each { viewer ->
                def data = viewer.getImageData()
                def entry = data == null ? null : project.getEntry(data)
                if (entry != null && !images.any { it.data.is(data) })
                    images << [entry: entry.getID(), data: data, changed: data.isChanged(), on_screen: isVisible,
                               marker: data.getProperty(MARKER)]
            }
        }
        shown = [folder: folder, images: images]
    }

    Path projectFolder(project) {
        Path folder = project.getPath().getParent().resolve('.slidebridge').resolve('viewer')
        return Files.isDirectory(folder) ? folder : null   // SlideBridge made it, if it works on this project
    }

    List viewers() {
        return qupath.metaClass.respondsTo(qupath, 'getAllViewers') ? qupath.getAllViewers() : qupath.getViewers()
    }

    synchronized void beat() {
        Map now = shown
        Path path = now.folder == null ? null : now.folder.resolve('open-' + session + '.json')
        if (path == null)
            told = now
        if (heartbeat != null && heartbeat != path)
            Files.deleteIfExists(heartbeat)                // the project was closed, or another one opened
        heartbeat = path
        if (path == null)
            return
        count++
        List rows = now.images.collect {
            [entry: it.entry, changed: it.changed, on_screen: it.on_screen, marker: it.marker]
        }
        leave(path, [session: session, pid: ProcessHandle.current().pid(), host: host, count: count,
                     time: System.currentTimeMillis(), open: rows])
        told = now
    }

    synchronized void forgetHeartbeat() {
        if (heartbeat != null)
            Files.deleteIfExists(heartbeat)
    }

    // ---- results into the open image ----------------------------------------------------------------------------

    void pull() {
        Map now = told                                     // only what the heartbeat has named as open
        if (now.folder == null)
            return
        now.images.each { image ->
            Path inbox = now.folder.resolve('inbox').resolve(image.entry)
            if (!broken.contains(image.data) && Files.isDirectory(inbox))
                offered(inbox).each { offer -> quietly { take(image, offer) } }
        }
    }

    List offered(Path inbox) {
        List found = []
        def stream = Files.newDirectoryStream(inbox, '*.json')
        try {
            stream.each { found << it }
        } finally {
            stream.close()
        }
        return found.sort { it.toString() }
    }

    void take(Map image, Path offer) {
        Map delivery = null
        String trouble = null
        try {
            delivery = read(image, offer)
        } catch (NoSuchFileException e) {
            return                                         // withdrawn
        } catch (Throwable e) {
            trouble = 'it could not be read: ' + e
        }
        List taken = null                                  // our name for the file, ids that were left alone, trouble
        onWindow(0) {
            taken = apply(image, offer, delivery, trouble)
            remember()
        }
        if (taken == null)
            return                                         // withdrawn, or another image is open: it stays in the inbox
        beat()                                             // says which write is in memory; only then the receipt
        leave(done(offer), [session: session, left: taken[1], trouble: taken[2]])
        Files.deleteIfExists(taken[0])
        if (taken[2] == null)
            onWindow(0) { announce(delivery) }
        else
            logger.warn('SlideBridge: results not shown, ' + taken[2])
    }

    // Off the window's thread: all that takes time.
    Map read(Map image, Path offer) {
        if (Files.size(offer) > MAX_BYTES)
            throw new IllegalArgumentException('it is too large')
        JsonObject root = JsonParser.parseString(new String(Files.readAllBytes(offer), StandardCharsets.UTF_8))
            .getAsJsonObject()
        if (root.get('protocol').getAsInt() != PROTOCOL)
            throw new IllegalArgumentException('it speaks another protocol; install this script again')
        if (root.get('entry').getAsString() != image.entry)
            throw new IllegalArgumentException('it is for another image')
        String marker = root.get('marker').getAsString()
        List added = objects(root.getAsJsonArray('add'))
        added.each { mark(it, marker) }
        Map present = image.data.getHierarchy().getAllObjects(false).collectEntries { [it.getID().toString(), it] }
        List remove = objects(root.getAsJsonArray('remove')).collect { compared(it, present) }
        List promote = promotions(root.getAsJsonArray('promote')).collect { compared(it[0], present) + [to: it[1]] }
        return [marker: marker, add: added, remove: remove, promote: promote]
    }

    List objects(JsonArray features) {
        if (features.size() == 0)
            return []
        def stream = new ByteArrayInputStream(gson.toJson(features).getBytes(StandardCharsets.UTF_8))
        List found = PathIO.readObjectsFromGeoJSON(stream)
        if (found.size() != features.size())
            throw new IllegalArgumentException('QuPath read ' + found.size() + ' of ' + features.size() + ' objects')
        return found
    }

    // [the object as SlideBridge knows it, the class that it is to get]
    List promotions(JsonArray rows) {
        JsonArray before = new JsonArray()
        JsonArray after = new JsonArray()
        rows.each { row ->
            JsonObject feature = row.getAsJsonObject().getAsJsonObject('object')
            JsonObject copy = feature.deepCopy()
            copy.getAsJsonObject('properties').add('classification', row.getAsJsonObject().get('classification'))
            before.add(feature)
            after.add(copy)
        }
        return [objects(before), objects(after).collect { it.getPathClass() }].transpose()
    }

    // An object of SlideBridge's, and whether the one in memory looks as SlideBridge knows it.
    Map compared(known, Map present) {
        def now = present[known.getID().toString()]
        def outline = now == null ? null : now.getROI()
        return [id: known.getID().toString(), object: now, outline: outline, known: known,
                same: outline != null && isSameOutline(outline.getGeometry(), known.getROI().getGeometry())]
    }

    boolean isSameOutline(first, second) {
        if (!first.getEnvelopeInternal().intersects(second.getEnvelopeInternal()))
            return false
        return DiscreteHausdorffDistance.distance(first.getBoundary(), second.getBoundary()) <= SAME_PX
    }

    // On the window's thread: nothing can change between the last look and the edits.
    List apply(Map image, Path offer, Map delivery, String trouble) {
        def project = qupath.getProject()
        boolean isOpen = viewers().any { it.getImageData().is(image.data) }
        if (!isOpen || project == null || project.getEntry(image.data)?.getID() != image.entry)
            return null
        Path taken = offer.resolveSibling(base(offer) + '.' + session + '.taken')
        try {
            rename(offer, taken)
        } catch (NoSuchFileException e) {
            return null
        }
        List left = []
        String said = trouble
        if (said == null) {
            try {
                left = edit(image.data, delivery)
            } catch (Throwable e) {
                said = 'it could not be shown: ' + e
                logger.warn('SlideBridge: ' + e, e)
            }
        }
        if (said != null)
            broken.add(image.data)                         // none is taken any more until the image is opened again
        return [taken, left, said]
    }

    List edit(data, Map delivery) {
        def hierarchy = data.getHierarchy()
        List left = []
        List gone = []
        List changed = []
        delivery.remove.each { if (isUntouched(it)) gone << it.object else left << it.id }
        delivery.promote.each {
            if (isUntouched(it)) {
                it.object.setPathClass(it.to)
                unmark(it.object)
                changed << it.object
            } else
                left << it.id
        }
        if (!gone.isEmpty()) {
            hierarchy.getSelectionModel().deselectObjects(gone)
            hierarchy.removeObjects(gone, true)
        }
        if (!delivery.add.isEmpty())
            hierarchy.addObjects(delivery.add)
        if (!changed.isEmpty())
            hierarchy.fireObjectClassificationsChangedEvent(this, changed)
        data.setProperty(MARKER, delivery.marker)          // last: it promises all of the above
        data.setChanged(true)
        return left
    }

    boolean isUntouched(Map item) {
        def now = item.object
        // Outlines are never changed in place: the same one now is the one that was compared.
        return item.same && now.getParent() != null && now.getROI().is(item.outline) && isOurs(now) &&
            now.getPathClass() == item.known.getPathClass() && (now.getName() ?: '') == (item.known.getName() ?: '')
    }

    // ---- SlideBridge's objects ----------------------------------------------------------------------------------

    boolean hasOpenMetadata(object) {
        return object.metaClass.respondsTo(object, 'getMetadata')  // since 0.5; 0.4 keeps it to itself
    }

    boolean isOurs(object) {
        if (hasOpenMetadata(object))
            return object.getMetadata().containsKey(OURS)
        return object.retrieveMetadataValue(OURS) != null
    }

    void mark(object, String marker) {
        if (hasOpenMetadata(object))
            object.getMetadata().put(OURS, marker)
        else
            object.storeMetadataValue(OURS, marker)        // 0.4 doesn't read it from GeoJSON
    }

    void unmark(object) {
        if (hasOpenMetadata(object)) {
            object.getMetadata().remove(OURS)
            return
        }
        Map kept = new LinkedHashMap(object.getUnmodifiableMetadataMap())
        object.clearMetadataMap()
        kept.each { key, value -> if (key != OURS) object.storeMetadataValue(key, value) }
    }

    boolean isProposal(object) {
        return object != null && object.isAnnotation() && isOurs(object) &&
            String.valueOf(object.getPathClass()) == PROPOSED
    }

    List proposals(hierarchy) {
        return hierarchy.getAnnotationObjects().findAll { isProposal(it) }.sort { rank(it) }
    }

    int rank(proposal) {
        def number = (proposal.getName() ?: '') =~ /\d{1,9}/
        return number.find() ? Integer.parseInt(number.group()) : Integer.MAX_VALUE
    }

    // ---- commands -----------------------------------------------------------------------------------------------

    void predictHere() {
        def viewer = qupath.getViewer()
        def data = viewer == null ? null : viewer.getImageData()
        def project = qupath.getProject()
        def entry = data == null || project == null ? null : project.getEntry(data)
        Path folder = entry == null ? null : projectFolder(project)
        if (folder == null) {
            say('Open an image of a project that SlideBridge works on.')
            return
        }
        def view = viewer.getDisplayedRegionShape().getBounds()
        long now = System.currentTimeMillis()
        asked++
        Path path = folder.resolve('outbox').resolve(String.format('%015d-%s-%d.json', now, session, asked))
        Map request = [session: session, ask: 'predict', entry: entry.getID(),
                       region: [view.getX(), view.getY(), Math.max(1d, view.getWidth()),
                                Math.max(1d, view.getHeight())].collect { it as int }]
        leave(path, request)
        say('Asked for predictions of this image.')
    }

    void acceptBox() {
        def viewer = qupath.getViewer()
        def hierarchy = viewer == null ? null : viewer.getHierarchy()
        def box = hierarchy == null ? null : chosenProposal(viewer, hierarchy)
        if (box == null) {
            say('Select a proposal, or bring one into the middle of the view.')
            return
        }
        box.setPathClass(PathClass.fromString(LABELLED))
        hierarchy.fireObjectClassificationsChangedEvent(this, [box])
        say('The box is labelled. It counts when you save.')
    }

    Object chosenProposal(viewer, hierarchy) {
        def selected = hierarchy.getSelectionModel().getSelectedObject()
        if (isProposal(selected))
            return selected
        double x = viewer.getCenterPixelX()
        double y = viewer.getCenterPixelY()
        return proposals(hierarchy).find { it.getROI().contains(x, y) }
    }

    void nextProposal() {
        def viewer = qupath.getViewer()
        def hierarchy = viewer == null ? null : viewer.getHierarchy()
        List all = hierarchy == null ? [] : proposals(hierarchy)
        if (all.isEmpty()) {
            say('No proposal is open in this image.')
            return
        }
        int at = all.indexOf(hierarchy.getSelectionModel().getSelectedObject())
        def next = all[(at + 1) % all.size()]
        viewer.centerROI(next.getROI())
        hierarchy.getSelectionModel().setSelectedObject(next)
    }

    // ---- files, threads, words ----------------------------------------------------------------------------------

    Path done(Path offer) {
        return offer.resolveSibling(base(offer) + '.done')
    }

    String base(Path offer) {
        String name = offer.getFileName().toString()
        return name.substring(0, name.length() - '.json'.length())
    }

    // There whole, or not at all.
    void leave(Path path, Map content) {
        Map all = [protocol: PROTOCOL]
        all.putAll(content)
        Files.createDirectories(path.getParent())
        Path part = path.resolveSibling(path.getFileName().toString() + '.' + Thread.currentThread().getId() + '.part')
        Files.write(part, gson.toJson(all).getBytes(StandardCharsets.UTF_8))
        rename(part, path)
    }

    void rename(Path from, Path to) {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE)
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING)
        }
    }

    // Runs something on the window's thread and waits; 0 seconds: for as long as it takes.
    Object onWindow(long seconds, Closure work) {
        if (Platform.isFxApplicationThread())
            return work.call()
        FutureTask task = new FutureTask({ work.call() } as Callable)
        Platform.runLater(task)
        try {
            return seconds == 0 ? task.get() : task.get(seconds, TimeUnit.SECONDS)
        } catch (TimeoutException e) {
            task.cancel(false)                             // what comes too late must not come at all
            throw e
        }
    }

    void announce(Map delivery) {
        int boxes = delivery.add.count { String.valueOf(it.getPathClass()) == PROPOSED }
        int others = delivery.add.size() - boxes
        say('New in this image: ' + others + ' predictions, ' + boxes + ' proposals. Save to keep them.')
    }

    // A note in a corner that goes away by itself; never a dialog.
    void say(String text) {
        for (name in ['qupath.fx.dialogs.Dialogs', 'qupath.lib.gui.dialogs.Dialogs']) {
            try {
                Class.forName(name).showInfoNotification('SlideBridge', text)
                return
            } catch (ClassNotFoundException e) {
                continue                                   // 0.4 has only the second one
            }
        }
        logger.info(text)
    }

    static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName()
        } catch (Throwable e) {
            return System.getenv('COMPUTERNAME') ?: System.getenv('HOSTNAME') ?: ''
        }
    }
}

def gui = QuPathGUI.getInstance()
if (gui == null) {
    println 'SlideBridge needs a QuPath window'
} else {
    String session = UUID.randomUUID().toString()
    // Atomic: of two runs at once only one finds nothing there.
    if (System.getProperties().putIfAbsent(SlideBridge.STARTED, session) == null)
        new SlideBridge(gui, session).start()
    else
        println 'SlideBridge runs in this QuPath already'
}
